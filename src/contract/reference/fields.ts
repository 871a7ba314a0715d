import { ID_PREFIXES, idPattern } from "../../core/ids.ts";

/** The part of JSON Schema that our own schemas use. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly description?: string;
}

export interface Field {
  /** Dotted where an object is nested: `config.queue.max_attempts`. */
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
}

const ID_NAMES: ReadonlyMap<string, string> = new Map(
  (Object.keys(ID_PREFIXES) as (keyof typeof ID_PREFIXES)[]).map((kind) => [
    idPattern(kind),
    `\`${ID_PREFIXES[kind]}…\``,
  ]),
);

/** The fields of an object, with those of the objects in it. Variants of one object are put together. */
export function fieldsOf(schema: Schema, within = ""): Field[] {
  const found = new Map<string, Field>();
  for (const variant of variantsOf(schema)) {
    for (const [key, property] of Object.entries(variant.properties ?? {})) {
      for (const field of fieldAndNested(`${within}${key}`, property, variant.required?.includes(key) === true)) {
        found.set(field.name, merged(found.get(field.name), field));
      }
    }
  }
  return [...found.values()];
}

function fieldAndNested(name: string, schema: Schema, required: boolean): Field[] {
  const field = { name, type: typeText(schema), required, description: descriptionOf(schema) };
  return [field, ...fieldsOf(schema, `${name}.`)];
}

/** A field that may be null has its description on its other variant. */
const descriptionOf = ({ description, anyOf = [] }: Schema): string =>
  description ?? anyOf.map(descriptionOf).find((text) => text !== "") ?? "";

function merged(known: Field | undefined, field: Field): Field {
  if (known === undefined || known.type === field.type) return field;
  return { ...known, type: `${known.type} or ${field.type}`, required: known.required && field.required };
}

const variantsOf = (schema: Schema): readonly Schema[] =>
  [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((variant) =>
    variant === schema ? [variant] : variantsOf(variant),
  );

/** A schema in a few words. */
export function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) return reference(schema.$ref);
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants !== undefined) return [...new Set(variants.map(typeText))].join(" or ");
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.pattern !== undefined) return ID_NAMES.get(schema.pattern) ?? "string";
  if (schema.format === "date-time") return "time";
  if (Array.isArray(schema.type)) return schema.type.join(" or ");
  switch (schema.type) {
    case "integer":
      return `integer${range(schema)}`;
    case "string":
      return schema.maxLength === undefined ? "string" : `string, at most ${grouped(schema.maxLength)} characters`;
    case "array":
      return `array of ${typeText(schema.items ?? {})}${schema.maxItems === undefined ? "" : `, at most ${grouped(schema.maxItems)}`}`;
    case "object":
      return objectText(schema);
    case undefined:
      return "anything";
    default:
      return String(schema.type);
  }
}

function objectText({ properties, additionalProperties }: Schema): string {
  if (properties !== undefined && Object.keys(properties).length > 0) return "object";
  if (typeof additionalProperties !== "object" || Object.keys(additionalProperties).length === 0) return "object";
  return `object of ${typeText(additionalProperties)}`;
}

const reference = (ref: string): string => {
  const name = ref.split("/").at(-1) ?? ref;
  return `[${name}](#${name.toLowerCase()})`;
};

function range({ minimum, maximum }: Schema): string {
  const bounded = (value: number | undefined) => value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  if (bounded(minimum) && bounded(maximum)) return `, ${grouped(minimum)}–${grouped(maximum)}`;
  return bounded(minimum) ? `, at least ${grouped(minimum)}` : "";
}

/** 4096 as `4,096`, whatever the locale of the machine. */
const grouped = (value: number | undefined): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",");
