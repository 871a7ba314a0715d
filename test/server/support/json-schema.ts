import { z } from "zod";

/** As much of JSON Schema as the operations table uses. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly maxProperties?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** What callers may send, as the OpenAPI document tells it. */
export const schemaOf = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;

export const alternatives = (schema: JsonSchema): readonly JsonSchema[] => schema.anyOf ?? schema.oneOf ?? [schema];

export function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value;
}

const typesOf = (schema: JsonSchema): readonly string[] | undefined =>
  typeof schema.type === "string" ? [schema.type] : schema.type;

function hasType(schema: JsonSchema, value: unknown): boolean {
  const types = typesOf(schema);
  if (types === undefined) return true;
  return types.includes(typeOf(value)) || (types.includes("integer") && Number.isInteger(value));
}

/** Judges a value by the schema alone, independently of the code that the server judges it with. */
export function accepts(schema: JsonSchema, value: unknown): boolean {
  if (schema.anyOf !== undefined || schema.oneOf !== undefined) {
    return alternatives(schema).some((alternative) => accepts(alternative, value));
  }
  if (!hasType(schema, value)) return false;
  if (schema.enum !== undefined && !schema.enum.includes(value)) return false;
  if (schema.const !== undefined && schema.const !== value) return false;
  if (typeof value === "string") return acceptsText(schema, value);
  if (typeof value === "number") return value >= (schema.minimum ?? value) && value <= (schema.maximum ?? value);
  if (Array.isArray(value)) return acceptsList(schema, value);
  return typeof value !== "object" || value === null || acceptsObject(schema, value as Record<string, unknown>);
}

function acceptsText(schema: JsonSchema, text: string): boolean {
  const characters = [...text].length;
  if (characters < (schema.minLength ?? 0) || characters > (schema.maxLength ?? characters)) return false;
  return schema.pattern === undefined || new RegExp(schema.pattern).test(text);
}

function acceptsList(schema: JsonSchema, list: readonly unknown[]): boolean {
  if (list.length < (schema.minItems ?? 0) || list.length > (schema.maxItems ?? list.length)) return false;
  return list.every((entry) => schema.items === undefined || accepts(schema.items, entry));
}

function acceptsObject(schema: JsonSchema, object: Record<string, unknown>): boolean {
  if ((schema.required ?? []).some((name) => object[name] === undefined)) return false;
  const entries = Object.entries(object);
  if (entries.length > (schema.maxProperties ?? entries.length)) return false;
  return entries.every(([name, value]) => {
    const property = schema.properties?.[name] ?? schema.additionalProperties ?? true;
    return typeof property === "boolean" || accepts(property, value);
  });
}
