import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Agent } from "../../src/client/index.ts";
import { ensureBuilt } from "../support/build.ts";
import { type CliOptions, folderForTest, runCli, startTestServer, type TestServer } from "../support/cli.ts";

let server: TestServer;
beforeAll(async () => {
  await ensureBuilt();
  server = await startTestServer();
}, 150_000);
afterAll(async () => {
  await server.stop();
});

const capstan = (words: string[], options: CliOptions = {}) => runCli(words, { ...options, env: server.env });

async function json(words: string[], options?: CliOptions): Promise<Agent> {
  const { code, stdout, stderr } = await capstan([...words, "--json"], options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

function fileWith(content: unknown): string {
  const path = join(folderForTest(), "agent.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

test("an agent is made of options, with its instructions from standard input", async () => {
  const words = ["agent", "create", "reviewer", "--model", "m-1", "--system", "-", "--metadata", "team=a"];
  const created = await json([...words, "--description", "reads"], { input: "Be strict.\n" });
  expect(created).toMatchObject({
    ...{ name: "reviewer", model: "m-1", system: "Be strict.\n", description: "reads", version: 1 },
    metadata: { team: "a" },
  });
  expect(await json(["agent", "get", created.id])).toEqual(created);
});

test("an agent is archived, after which it is only listed on demand, and deleted", async () => {
  const { id } = await json(["agent", "create", "old", "--model", "m-1"]);
  expect(await json(["agent", "archive", id])).toMatchObject({ id, archived_at: expect.any(String) });
  expect((await capstan(["agent", "list"])).stdout).not.toContain(id);
  expect((await capstan(["agent", "list", "--include-archived"])).stdout).toContain(id);
  expect(await json(["agent", "delete", id])).toEqual({ id, type: "agent_deleted" });
  expect((await capstan(["agent", "get", id])).code).toBe(6);
});

test("an agent is made of a file, which options win over", async () => {
  const whole = { name: "from the file", model: { id: "m" }, tools: [{ type: "bash" }], metadata: { kept: "1" } };
  const file = fileWith(whole);
  expect(await json(["agent", "create", "--file", file])).toMatchObject(whole);
  const over = await json(["agent", "create", "mine", "--file", file, "--model", "other"]);
  expect(over).toMatchObject({ ...whole, name: "mine", model: "other" });
});

test("an update makes the next version of the newest one, or of the one that was seen", async () => {
  const { id } = await json(["agent", "create", "a", "--model", "m"]);
  expect(await json(["agent", "update", id, "--name", "b"])).toMatchObject({ version: 2, name: "b", model: "m" });
  expect(await json(["agent", "update", id, "--version", "2", "--model", "n"])).toMatchObject({
    version: 3,
    name: "b",
  });
  for (const words of [[], ["--version", "3"], ["--file", fileWith({})]]) {
    const nothing = await capstan(["agent", "update", id, ...words]);
    expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining("There is nothing to change") });
  }
  const late = await capstan(["agent", "update", id, "--version", "2", "--name", "lost"]);
  expect(late).toMatchObject({ code: 7, stderr: expect.stringContaining("is at version 3, not 2") });
  expect(late.stderr).toContain("`capstan agent list` shows what there is.");
  expect(await json(["agent", "get", id, "--version", "1"])).toMatchObject({ version: 1, name: "a" });
  expect(await json(["agent", "get", id])).toMatchObject({ version: 3, name: "b", model: "n" });
});

test("agents are listed for people and for programs", async () => {
  const created = await json(["agent", "create", "listed", "--model", "m-9"]);
  const { stdout } = await capstan(["agent", "list", "--limit", "1"]);
  expect(stdout).toMatch(/^ID +VERSION +NAME +MODEL +UPDATED +ARCHIVED\nagent_\w{32} +1 +listed +m-9 +just now +–\n$/);
  const list = JSON.parse((await capstan(["agent", "list", "--limit", "1", "--json"])).stdout);
  expect(list).toMatchObject({ data: [created], has_more: true });
  const shown = await capstan(["agent", "get", created.id]);
  expect(shown.stdout).toMatch(/^id +agent_\w{32}\nversion +1\nname +listed\nmodel +m-9\n/);
});

test("sessions begin with an agent, in the version that is asked for, and are found by it", async () => {
  const { id: environment } = await server.client.createEnvironment({ name: "e", config: { type: "self_hosted" } });
  const { id } = await json(["agent", "create", "a", "--model", "m"]);
  await json(["agent", "update", id, "--name", "b"]);
  const create = ["session", "create", "--environment", environment];
  expect(await json([...create, "--agent", id])).toMatchObject({ agent: { id, version: 2, name: "b" } });
  const shown = await capstan([...create, "--agent", id]);
  expect(shown.stdout).toMatch(new RegExp(`^agent +b \\(${id}, version 2\\)$`, "m"));
  const first = await json([...create, "--agent", `${id}@1`]);
  expect(first).toMatchObject({ agent: { id, version: 1, name: "a" } });
  const found = JSON.parse((await capstan(["session", "list", "--agent", id, "--json"])).stdout);
  expect(found.data).toHaveLength(3);
  expect((await capstan(["session", "get", first.id])).stdout).toMatch(/^agent +a \(agent_\w+, version 1\)$/m);
  expect((await capstan(create)).stdout).not.toMatch(/^agent /m);
  for (const wrong of ["agent_1", `${id}@0`, `${id}@x`, `${id}@1@2`]) {
    const refused = await capstan([...create, "--agent", wrong]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("--agent must be the id of an agent") });
  }
});

test.each([
  [["agent", "create", "a"], "The agent has no model"],
  [["agent", "create", "--model", "m"], "The agent has no name"],
  [["agent", "get", "agent_1"], "<agent> must be an id: agent_ followed by 32 hex digits"],
  [["agent", "update", `agent_${"0".repeat(32)}`, "--version", "0"], "--version must be a whole number"],
])("%j is refused before anything is sent", async (words, why) => {
  expect(await capstan(words)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(why) });
});

test.each([
  ["{", "is not JSON"],
  [[], "must hold a JSON object"],
  [{ nmae: "a" }, 'has a field "nmae"'],
])("a file with %j is refused", async (content, why) => {
  const refused = await capstan(["agent", "create", "a", "--model", "m", "--file", fileWith(content)]);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(why) });
  const missing = await capstan(["agent", "create", "a", "--model", "m", "--file", "/nonexistent/agent.json"]);
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be read (ENOENT)") });
});
