import { serverOptions, startOwnServer } from "../own-server.ts";
import { onStopSignals } from "../signals.ts";
import { command } from "../spec.ts";

export const serve = command({
  path: "serve",
  summary: "Run the server",
  details: `Runs the server until SIGTERM or Ctrl-C: then it takes no new calls, answers those under way, and ends. A second signal ends
it at once; the end of its terminal counts as SIGTERM. Logs go to standard error as JSON lines. The first start prints an admin token, unless one was given.`,
  group: "serve",
  examples: [
    { command: "capstan serve", does: "On this machine, with the embedded database in ./.capstan" },
    { command: "capstan serve --host 0.0.0.0 --port 80 --data-dir /var/lib/capstan", does: "For other machines" },
  ],
  exits: ["interrupted", "terminated"],
  async run({ settings, io }) {
    const server = await startOwnServer(serverOptions(settings));
    const stopped = new Promise<void>((resolve) => onStopSignals(() => resolve()));
    io.out.write(`Capstan listens on ${server.url}\n`);
    if (server.adminToken !== undefined) {
      io.out.write(`Admin token, shown only this once: ${server.adminToken}\n`);
    }
    await stopped;
    await server.stop();
    return "ok";
  },
});
