import { accepts, alternatives, type JsonSchema } from "./json-schema.ts";

/** Values of every JSON type; those that a schema takes are left out where it is asked. */
const ANY_TYPE: readonly unknown[] = [
  null,
  true,
  false,
  0,
  7,
  1.5,
  -1,
  1e300,
  "",
  "text",
  "5",
  [],
  [[]],
  {},
  { a: {} },
];

/** Spellings that a lenient number parser would take for 5. */
const NOT_CANONICAL = [
  "5.0",
  "+5",
  "0x5",
  " 5",
  "5 ",
  "05",
  "5e0",
  "0b101",
  "5_0",
  "5,5",
  "٥",
  "five",
  "NaN",
  "-5",
  "",
];
const NOT_BOOLEAN = ["", "1", "0", "yes", "TRUE", "False", " true", "null"];
const ENORMOUS = "9".repeat(400);

export interface BadText {
  readonly what: string;
  /** One text for each time that the parameter is given. */
  readonly texts: readonly string[];
}

const one = (text: string): BadText => ({
  what: text.length > 40 ? `${text.length} characters` : `"${text}"`,
  texts: [text],
});

/** Texts that none of a server's parsers of this parameter may take. `undefined`: the schema does not tell. */
export function badTexts(schema: JsonSchema, valid: string): BadText[] | undefined {
  if (schema.type === "array")
    return ["", "bogus", `${valid},bogus`, `${valid},`, Array(101).fill(valid).join()].map(one);
  const repeated: BadText = { what: "given twice", texts: [valid, valid] };
  if (schema.type === "integer") return [...NOT_CANONICAL, ...outOfRange(schema)].map(one).concat(repeated);
  if (schema.type === "boolean") return NOT_BOOLEAN.map(one).concat(repeated);
  if (schema.enum !== undefined || schema.pattern !== undefined) {
    const spoilt = [
      "",
      "bogus",
      valid.toUpperCase(),
      ` ${valid}`,
      `${valid} `,
      `${valid}0`,
      `${valid}\0`,
      "x".repeat(4_000),
    ];
    return spoilt
      .filter((text) => !accepts(schema, text))
      .map(one)
      .concat(repeated);
  }
  return undefined;
}

function outOfRange({ minimum, maximum }: JsonSchema): string[] {
  const below = minimum === undefined ? [] : [String(minimum - 1), `-${ENORMOUS}`];
  return maximum === undefined ? below : [...below, String(maximum + 1), ENORMOUS];
}

export interface BadBody {
  /** Path of the spoilt value, as `error.param` names it. */
  readonly param: string;
  readonly what: string;
  readonly body: unknown;
}

/**
 * Every way in which one value of a good body can be spoilt so that its schema refuses it: missing, of another type, out
 * of range, too long, too many.
 */
export function badBodies(schema: JsonSchema, good: unknown, path = ""): BadBody[] {
  const here = candidates(schema)
    .filter((value) => !accepts(schema, value))
    .map((value) => ({ param: path, what: brief(value), body: value }));
  const fitting = alternatives(schema).find((alternative) => accepts(alternative, good));
  return fitting === undefined ? here : [...here, ...within(fitting, good, path)];
}

function candidates(schema: JsonSchema): unknown[] {
  const found: unknown[] = [...ANY_TYPE];
  for (const { minimum, maximum, maxLength, maxItems, maxProperties } of alternatives(schema)) {
    if (minimum !== undefined) found.push(minimum - 1, Number.MIN_SAFE_INTEGER);
    if (maximum !== undefined) found.push(maximum + 1);
    // Characters that are two UTF-16 units each: one too many of them, not half of what is allowed.
    if (maxLength !== undefined)
      found.push("x".repeat(maxLength + 1), "😀".repeat(maxLength + 1), "x".repeat(maxLength * 3));
    if (maxItems !== undefined) found.push(Array(maxItems + 1).fill({ type: "text" }));
    if (maxProperties !== undefined) {
      found.push(Object.fromEntries(Array.from({ length: maxProperties + 1 }, (_, index) => [`k${index}`, "v"])));
    }
  }
  return found;
}

/** Spoils what a good object or array holds. */
function within(schema: JsonSchema, good: unknown, path: string): BadBody[] {
  if (Array.isArray(good)) {
    const items = schema.items;
    if (items === undefined || good.length === 0) return [];
    const rest = good.slice(1);
    return badBodies(items, good[0], `${path}[0]`).map((bad) => ({ ...bad, body: [bad.body, ...rest] }));
  }
  if (typeof good !== "object" || good === null) return [];
  const object = good as Record<string, unknown>;
  const found: BadBody[] = [];
  for (const name of schema.required ?? []) {
    const { [name]: _, ...rest } = object;
    found.push({ param: join(path, name), what: "missing", body: rest });
  }
  for (const [name, value] of Object.entries(object)) {
    const property = schema.properties?.[name] ?? schema.additionalProperties;
    if (property === undefined || typeof property === "boolean") continue;
    for (const bad of badBodies(property, value, join(path, name))) {
      found.push({ ...bad, body: { ...object, [name]: bad.body } });
    }
  }
  return found;
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

function brief(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 20)}… (${text.length} characters)` : text;
}
