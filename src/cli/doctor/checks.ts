import { ApiError, type CapstanClient, ConnectionError } from "../../client/index.ts";
import { type Connection, checkedEnvironment } from "../connection.ts";
import { CommandError } from "../exit-codes.ts";
import { duration } from "../output/time.ts";

/** What one check found. `warn` is worth knowing and stops nothing; `skipped` could not be looked at. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warn" | "fail" | "skipped";
  readonly detail: string;
  /** What to do about it; `null` when there is nothing to do. */
  readonly next: string | null;
}

const found = (check: string, status: Finding["status"], detail: string, next: string | null = null): Finding => ({
  check,
  status,
  detail,
  next,
});

/** A line that would be missing otherwise, as if it were no concern. */
export const skipped = (check: string, why: string): Finding => found(check, "skipped", `not checked: ${why}`);

export const NO_SERVER = "no server answers";

export function checkNode(running: string, required: string): Finding {
  const numbers = (text: string) => (text.match(/\d+/g) ?? []).map(Number);
  const [major = 0, minor = 0] = numbers(running);
  const [needMajor = 0, needMinor = 0] = numbers(required);
  const enough = major > needMajor || (major === needMajor && minor >= needMinor);
  return enough
    ? found("node", "ok", `Node ${running}`)
    : found(
        "node",
        "fail",
        `Node ${running}, and Capstan needs ${required}.`,
        "Install a newer Node: https://nodejs.org",
      );
}

/** How long one probe may take. */
const PROBE_MS = 5_000;

interface Probe {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly date: string | null;
}

async function probe(url: string): Promise<Probe> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS), redirect: "manual" });
  const body: unknown = await response.json().catch(() => undefined);
  const isObject = typeof body === "object" && body !== null;
  return {
    status: response.status,
    body: isObject ? (body as Record<string, unknown>) : {},
    date: response.headers.get("date"),
  };
}

/** Whether a server answers, whether it can work, and whether its clock is ours. */
export async function checkServer(url: string, now: () => number): Promise<Finding[]> {
  let health: Probe;
  try {
    health = await probe(`${url}/healthz`);
  } catch {
    const next = "Start it with `capstan serve` (or `capstan dev`), or set CAPSTAN_URL to where it runs.";
    return withoutServer(found("server", "fail", `Nothing answers at ${url}.`, next));
  }
  if (health.status !== 200) {
    const next = "Set CAPSTAN_URL to the base of a Capstan server; something else may be listening there.";
    return withoutServer(found("server", "fail", `${url}/healthz answers ${health.status}.`, next));
  }
  const ready = await probe(`${url}/readyz`).catch(() => undefined);
  return [found("server", "ok", `${url} answers`), checkReady(ready), checkClock(health.date, now())];
}

const withoutServer = (finding: Finding): Finding[] => [
  finding,
  skipped("ready", NO_SERVER),
  skipped("clock", NO_SERVER),
];

function checkReady(ready: Probe | undefined): Finding {
  if (ready?.status === 200) {
    const { store, schema } = ready.body;
    const known = [store === undefined ? "" : `store ${store}`, schema === undefined ? "" : `schema ${schema}`];
    return found("ready", "ok", known.filter((text) => text !== "").join(", ") || "ready");
  }
  const next = "It is stopping, or its database is away: look at the server's log.";
  return found("ready", "fail", `/readyz answers ${ready?.status ?? "nothing"}.`, next);
}

/** The `Date` header has whole seconds, and the answer took its time. */
const TOLERATED_SKEW_MS = 5_000;

export function checkClock(date: string | null, now: number): Finding {
  const server = Date.parse(date ?? "");
  if (Number.isNaN(server)) return found("clock", "warn", "The server does not say what time it is.");
  const skew = now - server;
  if (Math.abs(skew) <= TOLERATED_SKEW_MS) return found("clock", "ok", "within a few seconds of the server's");
  const detail = `This clock is ${duration(Math.abs(skew))} ${skew > 0 ? "ahead of" : "behind"} the server's.`;
  const next =
    "Leases are safe, only the server's clock counts for them; synchronise the clocks to make times readable.";
  return found("clock", "warn", detail, next);
}

/** What a worker on this machine can hold its commands to. */
export async function checkProtections(): Promise<Finding[]> {
  // Loaded here, because other commands have no use for it.
  const { probeProtections } = await import("../../worker/index.ts");
  const protections = await probeProtections();
  return protections.map(({ name, inForce, message }) => found(name, inForce ? "ok" : "warn", message));
}

export function noToken(reason: string): Finding {
  return found("token", "fail", reason, "Set CAPSTAN_TOKEN; `capstan token create` makes a token with an admin token.");
}

/** Whether a call is allowed: false for a 403. Everything else that goes wrong is thrown. */
async function allowed(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return false;
    throw error;
  }
}

/** The role of the token, found by what it is allowed to do, and whether the environment can be worked in. */
export async function checkToken(
  client: CapstanClient,
  connection: Connection,
  environment: string | undefined,
): Promise<Finding[]> {
  try {
    const role = await roleOf(client);
    const token = found("token", "ok", `accepted, role ${role}`);
    const named = environment ?? connection.dev?.environment_id;
    if (named === undefined) return [token, skipped("environment", "none is named by CAPSTAN_ENVIRONMENT_ID")];
    return [token, await checkQueue(client, checkedEnvironment(named))];
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return [noToken("The server does not accept this token.")];
    if (error instanceof ApiError || error instanceof ConnectionError) {
      return [found("token", "fail", error.message, "Look at the server's log.")];
    }
    if (error instanceof CommandError) return [found("environment", "fail", error.message, error.hint ?? null)];
    throw error;
  }
}

async function roleOf(client: CapstanClient): Promise<"admin" | "client" | "worker"> {
  if (await allowed(() => client.listTokens({ limit: 1 }))) return "admin";
  return (await allowed(() => client.listEnvironments({ limit: 1 }))) ? "client" : "worker";
}

async function checkQueue(client: CapstanClient, environmentId: string): Promise<Finding> {
  try {
    const stats = await client.workStats({ environment_id: environmentId });
    const workers = `${stats.workers_polling} ${stats.workers_polling === 1 ? "worker" : "workers"} polling`;
    const detail = `${stats.depth} waiting, ${workers}`;
    if (stats.workers_polling > 0) return found("environment", "ok", detail);
    return found(
      "environment",
      "warn",
      detail,
      `Start one: capstan worker --environment ${environmentId} -- <command>`,
    );
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const next = "Set CAPSTAN_ENVIRONMENT_ID to an environment that this token may use; `capstan env list` shows them.";
    return found("environment", "fail", error.message, next);
  }
}
