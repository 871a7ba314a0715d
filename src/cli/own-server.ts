import type { SettingsFor } from "../config/resolve.ts";
import type { ServerOptions } from "../server/options.ts";
import type { RunningServer } from "../server/start.ts";
import { StoreRefused } from "../storage/store.ts";
import { CommandError } from "./exit-codes.ts";

type ServerSettings = SettingsFor<"serve">;
/** What `capstan dev` leaves at its default. */
type Tuning = Exclude<keyof ServerSettings, keyof SettingsFor<"dev">>;

/** The server's options from the settings: they have the same names. */
export const serverOptions = (settings: Omit<ServerSettings, Tuning> & Partial<ServerSettings>) =>
  settings satisfies ServerOptions;

/**
 * Starts a server in this process.
 *
 * @throws CommandError where the cause of a failure is one that a person can remove.
 */
export async function startOwnServer(options: ReturnType<typeof serverOptions>): Promise<RunningServer> {
  // Loaded here, because it would take two thirds of the start of every other command.
  const { startServer } = await import("../server/start.ts");
  try {
    return await startServer(options);
  } catch (error) {
    throw explained(error, options);
  }
}

function explained(error: unknown, { host, port }: { readonly host: string; readonly port: number }): unknown {
  if (error instanceof StoreRefused) return new CommandError("failed", error.message);
  const portHint = "Choose another one with --port (CAPSTAN_PORT); 0 takes a free one.";
  const hostHint = "Name an address of this machine with --host (CAPSTAN_HOST), such as 127.0.0.1 or 0.0.0.0.";
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new CommandError("failed", `Port ${port} of ${host} is in use by another program.`, portHint);
    case "EACCES":
      return new CommandError("failed", `Port ${port} may be opened by privileged users only.`, portHint);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EINVAL":
      return new CommandError("failed", `${host} is not an address of this machine.`, hostHint);
    default:
      return error;
  }
}
