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
  /** Origin of the server, such as `http://127.0.0.1:8787`. */
  readonly baseUrl: string;
  /** A token of role `worker` for this environment, or of role `admin`. */
  readonly token: string;
  readonly environmentId: string;
  readonly handler: Handler;
  /** Unique among the workers that run at once. Default: the host's name, the process and six random digits. */
  readonly workerId?: string | undefined;
  /** Sessions that run at once. Default 1. */
  readonly concurrency?: number | undefined;
  /** Folder in which every session gets a folder of its own; made when it is missing. */
  readonly workspaceRoot: string;
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
  readonly [Name in Exclude<keyof WorkerOptions, "setup">]-?: NonNullable<WorkerOptions[Name]>;
} & Pick<WorkerOptions, "setup">;

const MAX_CONCURRENCY = 1_000;
const MAX_GRACE_SECONDS = 86_400;

/** @throws TypeError, RangeError with a sentence that names the option */
export function resolveOptions(options: WorkerOptions): ResolvedOptions {
  if (!isId("environment", options.environmentId)) {
    throw new TypeError("environmentId must be the id of an environment: env_ followed by 32 hex digits.");
  }
  if (typeof options.handler !== "function") throw new TypeError("handler must be a function.");
  if (options.workspaceRoot === "") throw new TypeError("workspaceRoot must be the path of a folder.");
  return {
    ...options,
    workerId: workerId(options.workerId),
    concurrency: inRange("concurrency", options.concurrency ?? 1, 1, MAX_CONCURRENCY, true),
    workspaceRoot: resolve(options.workspaceRoot),
    graceSeconds: inRange("graceSeconds", options.graceSeconds ?? 20, 0, MAX_GRACE_SECONDS, false),
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
