import { z } from "zod";
import { ID_PREFIXES, type IdKind, idPattern, isId } from "../core/ids.ts";
import { fitsCharacters, METADATA_LIMITS } from "../core/metadata.ts";
import { type Micros, parseTime } from "../core/time.ts";
import { LIMITS } from "./limits.ts";

/** A whole number in its one canonical spelling: no sign, no leading zero, no blank, no fraction. */
const CANONICAL_INTEGER = /^(0|[1-9]\d*)$/;

export interface IntegerRange {
  readonly min: number;
  readonly max?: number;
  /** A value above `max` counts as `max` instead of being refused. */
  readonly capped?: boolean;
}

const bounds = ({ min, max }: IntegerRange): string =>
  max === undefined ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`;

function singleProblem(value: unknown, what: string): string {
  if (!Array.isArray(value)) return `must be ${what}`;
  const wrong = value.length === 1 ? "is given as a list" : `is given ${value.length} times`;
  return `${wrong}; give it once, as ${what}`;
}

/** One value of the query string: refuses a repeated one, because which of them is meant cannot be known. */
function single<T>(what: string, schema: Record<string, unknown>, read: (text: string) => T | undefined) {
  return z
    .unknown()
    .transform((value, context): T => {
      const result = typeof value === "string" ? read(value) : undefined;
      if (result !== undefined) return result;
      context.addIssue({ code: "custom", message: singleProblem(value, what) });
      return z.NEVER;
    })
    .meta(schema);
}

/** An integer in the query string. */
export function integerParam(range: IntegerRange, description: string) {
  const refusedMax = range.capped ? { min: range.min } : range;
  return single(
    bounds(refusedMax),
    {
      type: "integer",
      minimum: range.min,
      ...(refusedMax.max === undefined ? {} : { maximum: refusedMax.max }),
      description,
    },
    (text) => {
      if (!CANONICAL_INTEGER.test(text)) return undefined;
      // However many digits it has, it is a whole number: what caps or clamps a large one does the same to this.
      const value = Math.min(Number(text), Number.MAX_SAFE_INTEGER);
      if (value < range.min) return undefined;
      if (range.max === undefined || value <= range.max) return value;
      return range.capped ? range.max : undefined;
    },
  ).optional();
}

export function booleanParam(description: string) {
  return single("true or false", { type: "boolean", description }, (text) =>
    text === "true" ? true : text === "false" ? false : undefined,
  ).optional();
}

export function choiceParam<const T extends string>(choices: readonly T[], description: string) {
  return single(`one of ${choices.join(", ")}`, { type: "string", enum: choices, description }, (text) =>
    choices.find((choice) => choice === text),
  ).optional();
}

/** Several values of one kind: comma-separated, repeated, or both. */
export function listParam(valid: (text: string) => boolean, what: string, description: string) {
  return z
    .unknown()
    .transform((value, context): string[] => {
      const texts = (Array.isArray(value) ? value : [value]).flatMap((text) => String(text).split(","));
      if (texts.length <= LIMITS.page.max && texts.every(valid)) return texts;
      context.addIssue({ code: "custom", message: `must be ${what}, several separated by commas` });
      return z.NEVER;
    })
    .meta({ type: "array", items: { type: "string" }, description })
    .optional();
}

/** A cursor or a filter by id. A malformed one is refused; one that names nothing is a position. */
export function idParam(kind: IdKind, description: string) {
  return single(
    `an id that begins with ${ID_PREFIXES[kind]} followed by 32 hex digits`,
    { type: "string", pattern: idPattern(kind), description },
    (text) => (isId(kind, text) ? text : undefined),
  ).optional();
}

/** A cursor in a header. An empty one counts as not sent. */
export function idHeader(kind: IdKind, description: string) {
  return z
    .unknown()
    .transform((value, context): string | undefined => {
      if (value === undefined || value === "") return undefined;
      if (isId(kind, value)) return value;
      const expected = `must be an id that begins with ${ID_PREFIXES[kind]} followed by 32 hex digits`;
      context.addIssue({ code: "custom", message: expected });
      return z.NEVER;
    })
    .meta({ type: "string", pattern: idPattern(kind), description })
    .optional();
}

/** An id in a body. */
export const bodyId = (kind: IdKind) =>
  z.string(`must be an id that begins with ${ID_PREFIXES[kind]}`).regex(new RegExp(idPattern(kind)), {
    message: `must be an id: ${ID_PREFIXES[kind]} followed by 32 lower-case hex digits`,
  });

/** `expected_last_heartbeat`: `null` for `NO_HEARTBEAT`. */
export const expectedHeartbeat = single<{ at: Micros | null }>(
  "NO_HEARTBEAT or an RFC 3339 time (a + in a query string has to be written %2B)",
  {
    type: "string",
    description: "`NO_HEARTBEAT`, or the last heartbeat as the server gave it. Left out: unconditional.",
  },
  (text) => {
    if (text === "NO_HEARTBEAT") return { at: null };
    const at = parseTime(text);
    return at === undefined ? undefined : { at };
  },
).optional();

const PRINTABLE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** A header that carries a name: printable ASCII, bounded. An empty one counts as not sent. */
export function nameHeader(name: string, description: string) {
  return z
    .unknown()
    .transform((value, context): string | undefined => {
      if (value === undefined || value === "") return undefined;
      if (typeof value === "string" && value.length <= LIMITS.workerIdCharacters && PRINTABLE.test(value)) return value;
      context.addIssue({
        code: "custom",
        message: `${name} must be at most ${LIMITS.workerIdCharacters} printable ASCII characters`,
      });
      return z.NEVER;
    })
    .meta({ type: "string", maxLength: LIMITS.workerIdCharacters, description })
    .optional();
}

/** A text in a body whose length counts Unicode characters. */
export const text = (limit: number, { min = 0 }: { min?: number } = {}) =>
  z
    .string("must be a string")
    .refine((value) => value.length >= min, { message: "must not be empty" })
    .refine((value) => fitsCharacters(value, limit), { message: `must have at most ${limit} characters` })
    .meta({ ...(min === 0 ? {} : { minLength: min }), maxLength: limit });

/** A whole number in a body. */
export const bodyInteger = ({ min, max }: { min: number; max: number }) =>
  z
    .int(`must be a whole number from ${min} to ${max}`)
    .min(min, `must be a whole number from ${min} to ${max}`)
    .max(max, `must be a whole number from ${min} to ${max}`);

const metadataKey = (key: string): boolean => key.length > 0 && fitsCharacters(key, METADATA_LIMITS.keyCharacters);

function metadataProblem(value: unknown, allowNull: boolean): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "must be a flat object of strings";
  const entries = Object.entries(value);
  if (!allowNull && entries.length > METADATA_LIMITS.keys) return `may have at most ${METADATA_LIMITS.keys} keys`;
  for (const [key, entry] of entries) {
    if (!metadataKey(key)) return `keys must have 1 to ${METADATA_LIMITS.keyCharacters} characters`;
    if (entry === null && allowNull) continue;
    if (typeof entry !== "string") return `values must be strings${allowNull ? ", or null to remove a key" : ""}`;
    if (!fitsCharacters(entry, METADATA_LIMITS.valueCharacters)) {
      return `values may have at most ${METADATA_LIMITS.valueCharacters} characters`;
    }
  }
  return undefined;
}

function metadataSchema<T>(allowNull: boolean, schema: Record<string, unknown>) {
  return z
    .custom<T>()
    .superRefine((value, context) => {
      const problem = metadataProblem(value, allowNull);
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
    })
    .meta({ type: "object", ...schema });
}

const valueSchema = { type: "string", maxLength: METADATA_LIMITS.valueCharacters };

export const metadata = metadataSchema<Record<string, string>>(false, {
  additionalProperties: valueSchema,
  maxProperties: METADATA_LIMITS.keys,
});

export const metadataPatch = metadataSchema<Record<string, string | null>>(true, {
  additionalProperties: { anyOf: [valueSchema, { type: "null" }] },
  description: "A string sets a key, null removes it, all other keys stay.",
});
