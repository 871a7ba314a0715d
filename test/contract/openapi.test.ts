import { describe, expect, test } from "vitest";
import { openApiDocument } from "../../src/contract/openapi.ts";
import { BASE_PATH, OPERATION_NAMES, OPERATIONS, type Operation } from "../../src/contract/operations.ts";

const document = openApiDocument("1.2.3") as {
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, { content?: object }> }>>;
  components: { schemas: Record<string, { type?: string; $ref?: string }> };
};

const operationOf = (name: (typeof OPERATION_NAMES)[number]) => {
  const { path, method }: Operation = OPERATIONS[name];
  return document.paths[BASE_PATH + path]?.[method.toLowerCase()];
};

function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) =>
    key === "$ref" && typeof entry === "string" ? [entry] : references(entry),
  );
}

function lookUp(reference: string): unknown {
  return reference
    .replace(/^#\//, "")
    .split("/")
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
}

describe("the OpenAPI document", () => {
  test.each(OPERATION_NAMES)("describes %s under its own name", (name) => {
    expect(operationOf(name)?.operationId).toBe(name);
  });

  test("has a definition behind every reference, none of which points at itself", () => {
    for (const reference of new Set(references(document))) {
      expect(lookUp(reference), reference).toBeDefined();
      expect((lookUp(reference) as { $ref?: string }).$ref, reference).toBeUndefined();
    }
  });

  test("shows the twelve keys of a work item", () => {
    const { Work } = document.components.schemas as Record<string, { properties?: object }>;
    expect(Object.keys(Work?.properties ?? {})).toHaveLength(12);
  });

  test("says which answers are streams of events", () => {
    expect(Object.keys(operationOf("streamEvents")?.responses["200"]?.content ?? {})).toEqual(["text/event-stream"]);
    expect(Object.keys(operationOf("getSession")?.responses["200"]?.content ?? {})).toEqual(["application/json"]);
  });
});
