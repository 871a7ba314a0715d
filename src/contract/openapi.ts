import { z } from "zod";
import { FAULTS } from "../core/faults.ts";
import { idPattern } from "../core/ids.ts";
import { BASE_PATH, COMMON_FAULTS, OPERATIONS, type Operation, PATH_PARAMETERS, pathParameters } from "./operations.ts";
import { errorShape } from "./shapes.ts";

type JsonSchema = Record<string, unknown>;

/** The OpenAPI 3.1 document, derived from the operations table. */
export function openApiDocument(version: string): JsonSchema {
  const components: Record<string, JsonSchema> = {};
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const [operationId, operation] of Object.entries<Operation>(OPERATIONS)) {
    const path = `${BASE_PATH}${operation.path}`;
    paths[path] ??= {};
    paths[path][operation.method.toLowerCase()] = describe(operationId, operation, components);
  }
  const error = schemaOf(errorShape, "output", components);
  return {
    openapi: "3.1.0",
    info: {
      title: "Capstan",
      version,
      description:
        "The control plane for self-hosted agent workers. Operations marked `x-extension` are Capstan's own.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: components,
      responses: Object.fromEntries(
        Object.entries(FAULTS).map(([kind, fault]) => [
          kind,
          { description: `${fault.type}`, content: { "application/json": { schema: error } } },
        ]),
      ),
    },
  };
}

function describe(operationId: string, operation: Operation, components: Record<string, JsonSchema>): JsonSchema {
  const responses: Record<string, unknown> = {
    "200": {
      description: operation.summary,
      content: {
        [operation.stream ? "text/event-stream" : "application/json"]: {
          schema: schemaOf(operation.response, "output", components),
        },
      },
    },
  };
  for (const kind of [...operation.errors, ...COMMON_FAULTS]) {
    responses[String(FAULTS[kind].status)] = { $ref: `#/components/responses/${kind}` };
  }
  return {
    operationId,
    summary: operation.summary,
    tags: [operation.path.split("/")[operation.path.includes("/work") ? 3 : 1]],
    ...(operation.extension ? { "x-extension": true } : {}),
    "x-roles": ["admin", ...operation.roles],
    parameters: [
      ...pathParameters(operation.path).map(pathParameter),
      ...parameters("query", operation.query),
      ...parameters("header", operation.headers),
    ],
    ...(operation.body === undefined
      ? {}
      : {
          requestBody: { content: { "application/json": { schema: schemaOf(operation.body, "input", components) } } },
        }),
    responses,
  };
}

function pathParameter(name: string): JsonSchema {
  const kind = PATH_PARAMETERS[name];
  const schema = kind === undefined ? { type: "string" } : { type: "string", pattern: idPattern(kind) };
  return { name, in: "path", required: true, schema };
}

function parameters(place: "query" | "header", schema: z.ZodObject | undefined): JsonSchema[] {
  if (schema === undefined) return [];
  const { properties = {} } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as JsonSchema;
    const list = rest.type === "array" ? { style: "form", explode: false } : {};
    return {
      name,
      in: place,
      required: false,
      ...(description === undefined ? {} : { description }),
      ...list,
      schema: rest,
    };
  });
}

/** A schema, with its named parts moved into the document's components. */
function schemaOf(schema: z.ZodType, io: "input" | "output", components: Record<string, JsonSchema>): JsonSchema {
  const { $defs, $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as JsonSchema;
  for (const [name, definition] of Object.entries(($defs ?? {}) as Record<string, JsonSchema>)) {
    components[name] = relocated(definition) as JsonSchema;
  }
  // A named schema refers to its own definition, which has just been moved.
  return relocated(rest) as JsonSchema;
}

function relocated(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(relocated);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "id" || typeof (value as JsonSchema).id !== "string")
      .map(([key, entry]) => [
        key,
        key === "$ref" && typeof entry === "string"
          ? entry.replace("#/$defs/", "#/components/schemas/")
          : relocated(entry),
      ]),
  );
}
