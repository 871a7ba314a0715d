import { describe, expect, test } from "vitest";
import { OPERATION_NAMES, OPERATIONS, type Operation } from "../../src/contract/operations.ts";
import { apiReference } from "../../src/contract/reference/api.ts";
import { errorsReference } from "../../src/contract/reference/errors.ts";
import { fieldsOf, type Schema, typeText } from "../../src/contract/reference/fields.ts";
import { FAULTS, type FaultKind } from "../../src/core/faults.ts";

const api = apiReference();
const errors = errorsReference();

/** The part of a page below a heading. */
function section(page: string, heading: string): string {
  const start = page.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`the page has no ${heading}`);
  const rest = page.slice(start + heading.length + 2);
  const end = rest.search(/\n#{2,3} /);
  return end < 0 ? rest : rest.slice(0, end);
}

describe("the API reference", () => {
  test.each(OPERATION_NAMES)("tells the method, the path, the roles and the parameters of %s", (name) => {
    const operation: Operation = OPERATIONS[name];
    const text = section(api, `### ${name}`);
    expect(text).toContain(`\`${operation.method} /api/v1/cloud${operation.path}\``);
    for (const role of operation.roles) expect(text).toContain(role === "hand_out" ? "`Work-Token`" : `\`${role}\``);
    for (const parameter of Object.keys(operation.query?.shape ?? {})) expect(text).toContain(`| \`${parameter}\` |`);
    for (const field of Object.keys(operation.body?.shape ?? {})) expect(text).toContain(`| \`${field}\` |`);
    expect(text.includes("**extension**")).toBe(operation.extension === true);
  });

  test("leads every link to a heading that is there", () => {
    const headings = new Set([...api.matchAll(/^#{2,3} (.+)$/gm)].map((match) => match[1]?.toLowerCase()));
    for (const [, target = ""] of api.matchAll(/\]\(#([^)]+)\)/g)) expect(headings).toContain(target);
    for (const [, kind = ""] of api.matchAll(/errors\.md#([^)]+)\)/g)) expect(Object.keys(FAULTS)).toContain(kind);
  });

  test("writes header names as people do", () => {
    expect(section(api, "### heartbeatWork")).toContain("| `Worker-ID` | header |");
    expect(section(api, "### heartbeatWork")).toContain("| `Idempotency-Key` | header |");
  });
});

describe("the error reference", () => {
  test.each(Object.keys(FAULTS) as FaultKind[])("tells what to do about %s", (kind) => {
    const text = section(errors, `## ${kind}`);
    expect(text).toContain(`${FAULTS[kind].status} \`${FAULTS[kind].type}\``);
    expect(text).toContain("**What to do:**");
  });

  test("names the calls that answer a rare error", () => {
    expect(section(errors, "## precondition_failed")).toContain("Calls: [heartbeatWork](api.md#heartbeatwork).");
  });
});

describe("a schema in words", () => {
  test.each<[Schema, string]>([
    [{ type: "integer", minimum: 1, maximum: 86_400_000 }, "integer, 1–86,400,000"],
    [{ type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, "integer, at least 0"],
    [{ type: "string", maxLength: 4_096 }, "string, at most 4,096 characters"],
    [{ type: "string", pattern: "^env_[0-9a-f]{32}$" }, "`env_…`"],
    [{ anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] }, "time or null"],
    [{ type: ["string", "null"] }, "string or null"],
    [
      { type: "array", items: { $ref: "#/components/schemas/Work" }, maxItems: 50 },
      "array of [Work](#work), at most 50",
    ],
    [{}, "anything"],
  ])("%j is %s", (schema, text) => {
    expect(typeText(schema)).toBe(text);
  });

  test("finds the description of a field that may be null", () => {
    const size = { anyOf: [{ type: "integer", description: "How many." }, { type: "null" }] };
    expect(fieldsOf({ properties: { size } })[0]?.description).toBe("How many.");
  });

  test("puts the variants of an object together and marks what only some of them need", () => {
    const fields = fieldsOf({
      oneOf: [
        { properties: { type: { const: "a" }, size: { type: "integer" } }, required: ["type", "size"] },
        { properties: { type: { const: "b" }, size: { type: "string" } }, required: ["type"] },
      ],
    });
    expect(fields).toEqual([
      { name: "type", type: '`"a"` or `"b"`', required: true, description: "" },
      { name: "size", type: "integer or string", required: false, description: "" },
    ]);
  });
});
