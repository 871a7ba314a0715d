import { CapstanClient } from "../../client/index.ts";
import type { SettingsFor } from "../../config/resolve.ts";
import { type Connection, DEFAULT_URL, findConnection } from "../connection.ts";
import {
  checkNode,
  checkProtections,
  checkServer,
  checkToken,
  type Finding,
  NO_SERVER,
  noToken,
  skipped,
} from "../doctor/checks.ts";
import { REQUIRED_NODE } from "../doctor/required-node.ts";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { paint } from "../output/colour.ts";
import { command } from "../spec.ts";
import { showJson } from "./shared.ts";

export const doctor = command({
  path: "doctor",
  summary: "Check this machine, the server and the token, and say what to do next",
  group: "queue",
  options: { json: { kind: "switch", flags: "--json", summary: "Print the findings as JSON." } },
  examples: [{ command: "capstan doctor", does: "When something does not work" }],
  async run({ settings, options, io }) {
    const findings: Finding[] = [checkNode(process.versions.node, REQUIRED_NODE)];
    const connection = connectionFor(settings, findings);
    const { url, token } = connection;
    findings.push(...(await checkServer(url, io.now)));
    const reachable = findings.every(({ check, status }) => check !== "server" || status === "ok");
    if (token === undefined) findings.push(noToken("No token is set."));
    else if (reachable) {
      const client = new CapstanClient({ baseUrl: url, token });
      findings.push(...(await checkToken(client, connection, settings.environment)));
    } else findings.push(skipped("token", NO_SERVER));
    if (!findings.some(({ check }) => check === "environment")) {
      findings.push(skipped("environment", reachable ? "there is no token that the server accepts" : NO_SERVER));
    }
    findings.push(...(await checkProtections()));
    const ok = findings.every(({ status }) => status !== "fail");
    if (options.json) showJson(io, { ok, findings });
    else show(io, findings);
    return ok ? "ok" : "failed";
  },
});

/** Where the server is, as far as it can be found out: what `capstan dev` remembers may not be readable. */
function connectionFor(settings: SettingsFor<"queue">, findings: Finding[]): Connection {
  try {
    return findConnection(settings);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    findings.push({ check: "dev.json", status: "fail", detail: error.message, next: error.hint ?? null });
    return { url: settings.url ?? DEFAULT_URL, token: settings.token, dev: undefined };
  }
}

const MARKS = { ok: ["✓", "green"], warn: ["!", "yellow"], fail: ["✗", "red"], skipped: ["–", "dim"] } as const;

function show(io: Io, findings: readonly Finding[]): void {
  const widest = Math.max(...findings.map(({ check }) => check.length));
  for (const { check, status, detail, next } of findings) {
    const [mark, style] = MARKS[status];
    io.out.write(`${paint(io.out, style, mark)} ${check.padEnd(widest)}  ${detail}\n`);
    if (next !== null) io.out.write(`  ${" ".repeat(widest)}  → ${next}\n`);
  }
}
