import type { z } from "zod";
import type { FaultKind } from "../../core/faults.ts";
import type { TokenRole } from "../../core/records.ts";

/** Roles of tokens, and the bearer of a `Work-Token`, who may act for one hand-out of one item. */
export type CallerRole = TokenRole | "hand_out";

/** Everything that is known of one call. Routes, OpenAPI, the client and the reference docs are derived from it. */
export interface Operation {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the base path; `{name}` is a path parameter, always the id of that kind. */
  readonly path: string;
  readonly summary: string;
  /** Who may call it besides `admin`. A worker token reaches only what belongs to its environment. */
  readonly roles: readonly Exclude<CallerRole, "admin">[];
  readonly headers?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  readonly response: z.ZodType;
  /** Besides 401, 403, 429, 500 and 503, which every call may answer. */
  readonly errors: readonly FaultKind[];
  /**
   * It may reach the server twice and still mean the same, as every GET does; where that depends on what is sent, whether
   * it does. A second graceful stop would confirm the first one.
   */
  readonly repeatable?: true | ((input: Readonly<Record<string, unknown>>) => boolean);
  /** Ours; not part of the published API. */
  readonly extension?: true;
  /** Answers with server-sent events, each of them a `response`. */
  readonly stream?: true;
}

/** What every call may answer besides its own errors. */
export const COMMON_FAULTS: readonly FaultKind[] = ["unauthenticated", "forbidden", "internal", "unavailable"];

/** Whether this call, made again because nobody knows what became of it, does nothing that it has not done already. */
export function isRepeatable(
  { method, repeatable }: Pick<Operation, "method" | "repeatable">,
  input: Readonly<Record<string, unknown>>,
): boolean {
  return method === "GET" || repeatable === true || repeatable?.(input) === true;
}

export const operation = <const T extends Operation>(definition: T) => definition;
