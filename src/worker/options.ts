import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { LIMITS } from "../contract/limits.ts";
import { isId } from "../core/ids.ts";
import { TTL_SECONDS } from "../core/lease.ts";
import type { Report } from "./events.ts";
import type { Handler } from "./handler.ts";
import type { SetupOptions } from "./setup-script.ts";

export interface WorkerOptions {
  /** Origin of the server. Default `http://127.0.0.1:8787`. */
  readonly baseUrl?: string | undefined;
  /** A token of role `worker` for this environment, or of role `admin`. Required. */
  readonly token: string | undefined;
  /** The environment to serve. Required. */
  readonly environmentId: string | undefined;
  readonly handler: Handler;
  /** Unique among the workers that run at once. Default: the host's name, the process and six random digits. */
  readonly workerId?: string | undefined;
  /** Sessions that run at once. Default 1. */
  readonly concurrency?: number | undefined;
  /** Folder in which every session gets a folder of its own; made when it is missing. Default `./workspaces`. */
  readonly workspaceRoot?: string | undefined;
  /**
   * How long a handler that has answered everything waits for more before its input ends, in seconds; 0 for not at all.
   * Until then the session goes on running and keeps its place in the worker, unless another one needs that. Default 60.
   */
  readonly maxIdleSeconds?: number | undefined;
  /** How long one turn may take before the handler's signal is aborted with `timeout`. Left out: for ever. */
  readonly maxTurnSeconds?: number | undefined;
  /** How long sessions may go on after a stop request, or after the worker was told to drain. Default 20. */
  readonly graceSeconds?: number | undefined;
  /** How long a lease lasts without a heartbeat, 10 to 600. Default 60. */
  readonly ttlSeconds?: number | undefined;
  /** Given, the environment's `setup_script` is run once before the first session. Left out, it is not. */
  readonly setup?: SetupOptions | undefined;
  /** Told of everything that an operator may want to read. Errors that it throws are ignored. */
  readonly onEvent?: Report | undefined;
  /** Default `capstan-worker`. */
  readonly userAgent?: string | undefined;
}

export type ResolvedOptions = {
  readonly [Name in Exclude<keyof WorkerOptions, "setup" | "maxTurnSeconds">]-?: NonNullable<WorkerOptions[Name]>;
} & Pick<WorkerOptions, "setup"> & { readonly maxTurnSeconds: number | undefined };

const MAX_CONCURRENCY = 1_000;
const DAY_SECONDS = 86_400;
const DEFAULT_URL = "http://127.0.0.1:8787";

/** @throws TypeError, RangeError with a sentence that names the option */
export function resolveOptions(options: WorkerOptions): ResolvedOptions {
  const { environmentId, token, handler, workspaceRoot = "workspaces", maxTurnSeconds } = options;
  if (environmentId === undefined || !isId("environment", environmentId)) {
    throw new TypeError("environmentId must be the id of an environment: env_ followed by 32 hex digits.");
  }
  if (token === undefined) throw new TypeError("token is missing: give a token of role worker for the environment.");
  if (typeof handler !== "function") throw new TypeError("handler must be a function.");
  if (workspaceRoot === "") throw new TypeError("workspaceRoot must be the path of a folder.");
  return {
    ...{ environmentId, token, handler, setup: options.setup },
    baseUrl: options.baseUrl ?? DEFAULT_URL,
    workerId: workerId(options.workerId),
    concurrency: inRange("concurrency", options.concurrency ?? 1, 1, MAX_CONCURRENCY, true),
    workspaceRoot: resolve(workspaceRoot),
    maxIdleSeconds: inRange("maxIdleSeconds", options.maxIdleSeconds ?? 60, 0, DAY_SECONDS, false),
    maxTurnSeconds:
      maxTurnSeconds === undefined
        ? undefined
        : inRange("maxTurnSeconds", maxTurnSeconds, 0.001, 7 * DAY_SECONDS, false),
    graceSeconds: inRange("graceSeconds", options.graceSeconds ?? 20, 0, DAY_SECONDS, false),
    ttlSeconds: inRange(
      "ttlSeconds",
      options.ttlSeconds ?? TTL_SECONDS.default,
      TTL_SECONDS.min,
      TTL_SECONDS.max,
      true,
    ),
    onEvent: options.onEvent ?? (() => {}),
    userAgent: options.userAgent ?? "capstan-worker",
  };
}

function workerId(given: string | undefined): string {
  if (given === undefined) {
    const host = hostname()
      .replaceAll(/[^\x21-\x7e]/g, "-")
      .slice(0, 100);
    return `${host}-${process.pid}-${randomBytes(3).toString("hex")}`;
  }
  if (!/^[\x21-\x7e]+$/.test(given) || given.length > LIMITS.workerIdCharacters) {
    throw new TypeError(
      `workerId must be 1 to ${LIMITS.workerIdCharacters} printable ASCII characters without blanks.`,
    );
  }
  return given;
}

function inRange(name: string, value: number, min: number, max: number, whole: boolean): number {
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  throw new RangeError(`${name} must be a ${whole ? "whole " : ""}number from ${min} to ${max}.`);
}
