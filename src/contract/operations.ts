import type { z } from "zod";
import type { IdKind } from "../core/ids.ts";
import { agentsOperations } from "./operations/agents.ts";
import { environmentsOperations } from "./operations/environments.ts";
import { eventsOperations } from "./operations/events.ts";
import type { Operation } from "./operations/operation.ts";
import { sessionsOperations } from "./operations/sessions.ts";
import { tokensOperations } from "./operations/tokens.ts";
import { workOperations } from "./operations/work.ts";

export { type CallerRole, COMMON_FAULTS, isRepeatable, type Operation } from "./operations/operation.ts";

export const BASE_PATH = "/api/v1/cloud";

/** Every call that the server answers, by name. */
export const OPERATIONS = {
  ...workOperations,
  ...environmentsOperations,
  ...sessionsOperations,
  ...eventsOperations,
  ...agentsOperations,
  ...tokensOperations,
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof OPERATIONS;
export const OPERATION_NAMES = Object.keys(OPERATIONS) as OperationName[];

/** The path parameter and the kind of id that it takes. */
export const PATH_PARAMETERS: Readonly<Record<string, IdKind>> = {
  environment_id: "environment",
  work_id: "work",
  session_id: "session",
  agent_id: "agent",
  token_id: "token",
};

/** The names in a path, in order. */
export const pathParameters = (path: string): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);

/* Types of a call, as its caller writes it: path, query, headers and body in one object, under their wire names. */

type PathNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathNames<Rest>
  : never;
type OutputOf<Part> = Part extends z.ZodType ? z.output<Part> : unknown;
type InputOf<Part> = Part extends z.ZodType ? z.input<Part> : unknown;
type Part<Name extends OperationName, Key extends string> = (typeof OPERATIONS)[Name] extends {
  readonly [K in Key]: infer P;
}
  ? P
  : undefined;

/** What a handler receives. */
export interface OperationRequest<Name extends OperationName> {
  readonly path: Readonly<Record<PathNames<(typeof OPERATIONS)[Name]["path"]>, string>>;
  readonly query: OutputOf<Part<Name, "query">>;
  readonly headers: OutputOf<Part<Name, "headers">>;
  readonly body: OutputOf<Part<Name, "body">>;
}

/** What a call answers. */
export type OperationResponse<Name extends OperationName> = z.output<(typeof OPERATIONS)[Name]["response"]>;

/** What a caller sends: the body's own fields, and the path parameters. */
export type OperationBody<Name extends OperationName> = InputOf<Part<Name, "body">>;
export type OperationPath<Name extends OperationName> = PathNames<(typeof OPERATIONS)[Name]["path"]>;
export type OperationQuery<Name extends OperationName> =
  Part<Name, "query"> extends z.ZodObject<infer Shape> ? keyof Shape : never;
