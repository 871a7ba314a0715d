import { LIMITS } from "../contract/limits.ts";
import { SERVER_LIMITS, type ServerLimits } from "../server/options.ts";
import { wholeNumber } from "./schemas.ts";
import type { Setting } from "./setting.ts";

export interface LimitSetting extends Setting<number> {
  readonly flag: `--${string}`;
  readonly default: string;
}

const limit = (
  name: keyof ServerLimits,
  placeholder: string,
  [min, max]: readonly [number, number],
  summary: string,
): LimitSetting => ({
  flag: `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  variable: `CAPSTAN_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
  placeholder,
  default: String(SERVER_LIMITS[name]),
  schema: wholeNumber(min, max),
  summary,
  groups: ["serve"],
});

const DAY_MS = 86_400_000;

/** What bounds a server. The defaults are the server's own. */
export const LIMIT_SETTINGS = {
  maxConnections: limit(
    "maxConnections",
    "<count>",
    [1, 1_000_000],
    "Open connections; further ones are closed at once.",
  ),
  maxWaiters: limit(
    "maxWaiters",
    "<count>",
    [1, 1_000_000],
    "Polls that may wait at once; one more that would wait is a 429.",
  ),
  maxStreams: limit("maxStreams", "<count>", [1, 1_000_000], "Open event streams; a further one is a 429."),
  maxStreamBufferBytes: limit(
    "maxStreamBufferBytes",
    "<bytes>",
    [65_536, 1_073_741_824],
    "Bytes that may wait for one slow reader of a stream; with more it is disconnected and can resume.",
  ),
  streamKeepAliveMs: limit(
    "streamKeepAliveMs",
    "<ms>",
    [1_000, 15_000],
    "How often a comment goes over every open stream; less than proxies in front allow a connection to be silent.",
  ),
  streamStallMs: limit(
    "streamStallMs",
    "<ms>",
    [1_000, DAY_MS],
    "How long a reader of a stream that catches up may take nothing before it is disconnected.",
  ),
  maxHeaderBytes: limit("maxHeaderBytes", "<bytes>", [1_024, 1_048_576], "Bytes of one request's headers."),
  headersTimeoutMs: limit(
    "headersTimeoutMs",
    "<ms>",
    [1_000, DAY_MS],
    "How long a client may take to send its headers.",
  ),
  requestTimeoutMs: limit(
    "requestTimeoutMs",
    "<ms>",
    [1_000, DAY_MS],
    "How long a client may take to send its whole request.",
  ),
  keepAliveTimeoutMs: limit(
    "keepAliveTimeoutMs",
    "<ms>",
    [1_000, DAY_MS],
    "How long an idle connection is kept; more than a load balancer in front keeps it.",
  ),
  maxJsonDepth: limit(
    "maxJsonDepth",
    "<levels>",
    [LIMITS.jsonDepth.min, LIMITS.jsonDepth.max],
    "How deep the JSON of a request may be nested.",
  ),
  sweepMs: limit("sweepMs", "<ms>", [10, 60_000], "How often leases that have ended are looked for."),
  retentionDays: limit(
    "retentionDays",
    "<days>",
    [1, 36_500],
    "How long stopped work items stay among those that the queue works on; PostgreSQL only.",
  ),
  drainMs: limit("drainMs", "<ms>", [0, 600_000], "How long a stop waits for requests under way."),
} as const satisfies Record<keyof ServerLimits, LimitSetting>;
