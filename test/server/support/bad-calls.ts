import { OPERATIONS, type Operation, type OperationName } from "../../../src/contract/operations.ts";
import { badBodies, badTexts } from "./bad-values.ts";
import { BASELINES } from "./baselines.ts";
import { type JsonSchema, schemaOf } from "./json-schema.ts";
import type { World } from "./world.ts";

/** A call with one spoilt value, and the parameter that the answer has to name. */
export interface BadCall {
  readonly what: string;
  /** `undefined` where the whole body is wrong. */
  readonly param: string | undefined;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Bad values that a JSON Schema cannot tell, by operation and parameter. */
const BEYOND_SCHEMA: Readonly<Partial<Record<OperationName, Readonly<Record<string, readonly string[]>>>>> = {
  heartbeatWork: {
    expected_last_heartbeat: [
      "",
      "no_heartbeat",
      "yesterday",
      "1782893766",
      "2026-07-01",
      "2026-07-01T08:16:06",
    ].concat([
      "2026-02-30T08:16:06Z",
      "2026-07-01T24:00:00Z",
      "2026-07-01 08:16:06Z",
      "NO_HEARTBEAT ",
      "9".repeat(5_000),
    ]),
  },
};

/** Headers in which anything that is not understood counts as not sent. */
export const LENIENT_HEADERS: ReadonlySet<string> = new Set(["prefer", "x-stainless-retry-count", "accept"]);
export const HEADER_NAMES: Readonly<Record<string, string>> = {
  "worker-id": "Worker-ID",
  "idempotency-key": "Idempotency-Key",
  "last-event-id": "Last-Event-ID",
};

const CURSORS = ["page", "after_id", "before_id"];

/** The properties of one part of a request. */
function parameters(operation: Operation, part: "query" | "headers"): [string, JsonSchema][] {
  const schema = operation[part];
  return schema === undefined ? [] : Object.entries(schemaOf(schema).properties ?? {});
}

export function badQueries(name: OperationName, world: World): BadCall[] {
  const good = BASELINES[name].query?.(world) ?? {};
  const found: BadCall[] = [];
  for (const [param, schema] of parameters(OPERATIONS[name], "query")) {
    const valid = good[param];
    if (valid === undefined) throw new Error(`The baseline of ${name} has no value for the query parameter ${param}`);
    const beyond = BEYOND_SCHEMA[name]?.[param];
    const bad = beyond?.map((text) => ({ what: text, texts: [text] })) ?? badTexts(schema, valid);
    if (bad === undefined) throw new Error(`Nobody knows a bad value for the query parameter ${param} of ${name}`);
    for (const { what, texts } of [...bad, { what: "given twice", texts: [valid, valid] }]) {
      // Several values are what a list is for.
      if (schema.type === "array" && texts.length > 1) continue;
      const query = texts.map((text) => `${param}=${encodeURIComponent(text)}`).join("&");
      found.push({ what: `${param} ${what}`, param, query });
    }
  }
  return found.concat(twoCursors(good));
}

function twoCursors(good: Readonly<Record<string, string>>): BadCall[] {
  const cursors = CURSORS.filter((name) => good[name] !== undefined);
  return cursors.flatMap((first, index) =>
    cursors.slice(index + 1).map((second) => ({
      what: `${first} and ${second}`,
      param: second,
      query: `${second}=${good[second]}&${first}=${good[first]}`,
    })),
  );
}

export function badHeaders(name: OperationName): BadCall[] {
  const found: BadCall[] = [];
  for (const [header, schema] of parameters(OPERATIONS[name], "headers")) {
    if (LENIENT_HEADERS.has(header)) continue;
    const param = HEADER_NAMES[header];
    const values = badHeaderValues(schema);
    if (values === undefined || param === undefined) throw new Error(`Nobody knows a bad value for ${header}`);
    for (const value of values)
      found.push({ what: `${header} ${value.slice(0, 10)}`, param, headers: { [header]: value } });
  }
  return found;
}

/** An empty header counts as not sent, and blanks around a value are no part of it. */
function badHeaderValues({ maxLength, pattern }: JsonSchema): string[] | undefined {
  const never = ["é", "a\tb", "a\u00a0b", "x".repeat(8_000)];
  if (maxLength !== undefined) return [...never, "x".repeat(maxLength + 1)];
  return pattern === undefined ? undefined : [...never, "x", "null", "0"];
}

export function badBodiesOf(name: OperationName, world: World): BadCall[] {
  const operation: Operation = OPERATIONS[name];
  if (operation.body === undefined) return [];
  const good = BASELINES[name].body?.(world);
  if (good === undefined) throw new Error(`The baseline of ${name} has no body`);
  const schema = schemaOf(operation.body);
  const unknown = Object.keys(schema.properties ?? {}).filter((param) => !Object.hasOwn(good as object, param));
  if (unknown.length > 0) throw new Error(`The baseline of ${name} has no value for ${unknown.join(", ")}`);
  const spoilt = badBodies(schema, good).map((bad) => ({
    what: `${bad.param} ${bad.what}`,
    param: bad.param === "" ? undefined : bad.param,
    body: JSON.stringify(bad.body),
  }));
  const notJson = ["{", "nope", '{"a":1}}', "'{}'", '{"a":undefined}', "\ufeff{}"];
  return [...spoilt, ...notJson.map((body) => ({ what: body, param: undefined, body }))];
}

/** `metadata` is named as a whole; everything else as it is. */
export function namesParameter(call: BadCall, param: string | undefined): boolean {
  if (param === undefined || call.param === undefined) return param === call.param || param !== undefined;
  if (call.param.startsWith("metadata")) return param === "metadata";
  // Inside a value that may be one of several things the whole is named, and of a spoilt object the part that is wrong.
  return call.param.startsWith(param) || (param.startsWith(call.param) && /^[.[]/.test(param.slice(call.param.length)));
}

/** Ids that name nothing which this path parameter could mean, as they stand in a path. */
export function badIds(param: string, world: World): string[] {
  const id = world.own[param] ?? "";
  const prefix = id.slice(0, id.indexOf("_") + 1);
  const spoilt = [prefix, id.toUpperCase(), `${id}0`, id.slice(0, -1), `%20${id}`, `${id}%00`, `${id}%2F..`];
  const unknown = [`${prefix}${"0".repeat(32)}`, `${prefix}${"f".repeat(32)}`, `other_${id.slice(prefix.length)}`];
  const foreign = param === "work_id" ? [world.foreign[param] ?? ""] : [];
  return ["x", "null", "%F0%9F%98%80", "9".repeat(9_000), ...spoilt, ...unknown, ...foreign];
}
