import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt, ROOT } from "../support/build.ts";
import {
  type CliOptions,
  folderForTest,
  runCli,
  startForTest,
  startTestServer,
  type TestServer,
} from "../support/cli.ts";

let server: TestServer;
beforeAll(async () => {
  await ensureBuilt();
  server = await startTestServer();
}, 150_000);
afterAll(async () => {
  expect((await server.stop()).code).toBe(0);
});

const capstan = (words: string[], options: CliOptions = {}) =>
  runCli(words, { ...options, env: { ...server.env, ...options.env } });

async function json(words: string[], options?: CliOptions) {
  const { code, stdout, stderr } = await capstan([...words, "--json"], options);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

async function api(path: string) {
  const headers = { authorization: `Bearer ${server.token}` };
  return steady(await (await fetch(`${server.url}/api/v1/cloud${path}`, { headers })).json());
}

/** Without what grows with the time between two calls. */
const steady = (answer: unknown) => JSON.parse(JSON.stringify(answer, (key, value) => (key === "stats" ? {} : value)));

async function newEnvironment(): Promise<string> {
  return (await server.client.createEnvironment({ name: "test", config: { type: "self_hosted" } })).id;
}

async function newSession(environmentId: string, title?: string): Promise<string> {
  return (await server.client.createSession({ environment_id: environmentId, title })).id;
}

const message = (text: string) => ({ type: "user.message", content: [{ type: "text", text }] });

describe("environments", () => {
  test("are created with what the options say", async () => {
    const words = ["env", "create", "q", "--description", "d", "--max-attempts", "2", "--metadata", "a=b=c"];
    const created = await json([...words, "--metadata", "k="]);
    expect(created).toEqual(await api(`/environments/${created.id}`));
    expect(created).toMatchObject({
      name: "q",
      description: "d",
      config: { type: "self_hosted", queue: { max_attempts: 2 } },
      metadata: { a: "b=c", k: "" },
    });
  });

  test("are changed by what the options say, and keep the rest", async () => {
    const id = (await json(["env", "create", "e", "--max-attempts", "2", "--metadata", "a=1"])).id;
    const script = join(folderForTest(), "setup.sh");
    writeFileSync(script, "true\n");
    await json(["env", "update", id, "--name", "renamed", "--setup-script", script, "--metadata", "b=2"]);
    expect(await json(["env", "update", id, "--drain-seconds", "30"])).toMatchObject({
      name: "renamed",
      config: { type: "self_hosted", setup_script: "true\n", queue: { max_attempts: 2, drain_seconds: 30 } },
      metadata: { a: "1", b: "2" },
    });
    const plain = await newEnvironment();
    const { config } = await json(["env", "update", plain, "--setup-script", script]);
    expect(config).toEqual({ type: "self_hosted", setup_script: "true\n" });
    const nothing = await capstan(["env", "update", id]);
    expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining("There is nothing to change") });
  });

  test("are archived once, and deleted while they have no session", async () => {
    const id = await newEnvironment();
    expect(await json(["env", "archive", id])).toMatchObject({ id, archived_at: expect.any(String) });
    const twice = await capstan(["env", "archive", id]);
    expect(twice).toMatchObject({ code: 7, stderr: expect.stringContaining("is archived already") });
    expect(await json(["env", "delete", id])).toEqual({ id, type: "environment_deleted" });
    expect(await capstan(["env", "get", id])).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("hint: `capstan env list` shows what there is."),
    });
  });
});

describe("lists", () => {
  test("with --json are the API's own list object, page after page", async () => {
    const id = await newEnvironment();
    for (const title of ["one", "two", "three"]) await newSession(id, title);
    const filter = ["--environment", id];
    expect(steady(await json(["session", "list", ...filter]))).toEqual(await api(`/sessions?environment_id=${id}`));
    const first = await json(["session", "list", ...filter, "--limit", "2"]);
    expect(steady(first)).toEqual(await api(`/sessions?environment_id=${id}&limit=2`));
    expect(first).toMatchObject({ has_more: true, data: [{ title: "three" }, { title: "two" }] });
    const rest = await json(["session", "list", ...filter, "--page", first.next_page]);
    expect(rest).toMatchObject({ has_more: false, data: [{ title: "one" }] });
  });

  test("go beyond one page of the API when the limit does", async () => {
    const session = await newSession(await newEnvironment());
    const events = Array.from({ length: 130 }, (_, index) => ({
      type: "system.message",
      content: [{ type: "text", text: `${index}` }],
    }));
    await server.client.sendEvents({ session_id: session, events });
    const list = await json(["session", "events", session, "--limit", "120"]);
    const texts = list.data.map((event: { content: { text: string }[] }) => event.content[0]?.text);
    expect(texts).toEqual(Array.from({ length: 120 }, (_, index) => `${index}`));
    expect(list).toMatchObject({ has_more: true, last_id: list.data[119].id, next_page: list.data[119].id });
    expect((await json(["session", "events", session, "--limit", "500"])).data).toHaveLength(130);
  });

  test("end quietly when nobody reads on", async () => {
    const session = await newSession(await newEnvironment());
    const events = Array.from({ length: 1_000 }, () => message("x".repeat(500)));
    await server.client.sendEvents({ session_id: session, events });
    const listing = startForTest(["session", "events", session, "--limit", "1000", "--json"], { env: server.env });
    listing.child.stdout?.once("data", () => listing.child.stdout?.destroy());
    expect(await listing.ended).toMatchObject({ code: 0, stderr: "" });
  });

  test.skipIf(!existsSync("/dev/full"))("end with a sentence when the disk that they are written to is full", () => {
    const line = `exec "${process.execPath}" "${join(ROOT, "dist", "cli", "main.js")}" session list --json > /dev/full`;
    const { status, stderr } = spawnSync("sh", ["-c", line], { env: { PATH: process.env.PATH, ...server.env } });
    const message = "The output cannot be written to standard output: no space is left on its device.";
    expect(stderr.toString()).toBe(`error: ${message}\n`);
    expect(status).toBe(1);
  });

  test("for people are a table with relative times, and a hint when there is nothing", async () => {
    const alone = await startTestServer();
    const empty = await runCli(["session", "list"], { env: alone.env });
    await alone.stop();
    expect(empty).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("capstan run") });
    const id = await newEnvironment();
    const filtered = await capstan(["session", "list", "--environment", id]);
    expect(filtered).toMatchObject({ code: 0, stdout: "", stderr: expect.stringMatching(/^No session is like that;/) });
    const session = await newSession(id, "visible");
    const beyond = await capstan(["session", "list", "--environment", id, "--page", session]);
    expect(beyond).toMatchObject({ code: 0, stdout: "", stderr: `The list has nothing after ${session}.\n` });
    const { stdout } = await capstan(["session", "list", "--environment", id]);
    expect(stdout).toMatch(/^ID +STATUS +TITLE +CREATED +UPDATED\nsess_\w{32} +idle +visible +just now +just now\n$/);
  });
});

describe("sessions", () => {
  test("start with a message, take more from standard input, and are cancelled", async () => {
    const id = await newEnvironment();
    const created = await json(["session", "create", "--environment", id, "--message", "begin"]);
    expect(created).toMatchObject({ status: "running", environment_id: id });
    const sent = await json(["session", "send", created.id, "-"], { input: "two\nlines\n" });
    expect(sent.data).toMatchObject([{ type: "user.message", content: [{ type: "text", text: "two\nlines\n" }] }]);
    const messages = await json(["session", "events", created.id, "--type", "user.message"]);
    expect(messages.data).toHaveLength(2);
    await json(["session", "cancel", created.id]);
    expect(await json(["session", "get", created.id])).toMatchObject({ status: "idle" });
    const events = await capstan(["session", "events", created.id]);
    expect(events.stdout).toMatch(/session\.status_idle +just now +cancelled\n$/);
  });

  test("are archived, and deleted, after which nothing holds their environment", async () => {
    const id = await newEnvironment();
    const session = (await json(["session", "create", "--environment", id])).id;
    expect(await json(["session", "archive", session])).toMatchObject({ id: session, status: "terminated" });
    const held = await capstan(["env", "delete", id]);
    expect(held.code).toBe(7);
    expect(held.stderr).toContain(`hint: \`capstan session list --environment ${id} --include-archived\` shows them`);
    expect(await json(["session", "delete", session])).toEqual({ id: session, type: "session_deleted" });
    expect(await json(["env", "delete", id])).toMatchObject({ id });
  });

  test("are followed until they end for good", async () => {
    const id = await newEnvironment();
    const session = await newSession(id);
    await server.client.sendEvents({ session_id: session, events: [message("begin")] });
    const following = capstan(["session", "events", session, "--follow", "--json"]);
    await server.client.archiveSession({ session_id: session });
    const { code, stdout } = await following;
    expect(code).toBe(0);
    const types = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).type);
    expect(types.slice(0, 2)).toEqual(["user.message", "session.status_running"]);
    expect(types.at(-1)).toBe("session.status_terminated");
  });

  test("an empty message is refused before anything is sent", async () => {
    const id = await newSession(await newEnvironment());
    expect(await capstan(["session", "send", id, "  "])).toMatchObject({ code: 2 });
    expect(await capstan(["session", "send", id, "-"], { input: "" })).toMatchObject({ code: 2 });
    expect((await server.client.listEvents({ session_id: id })).data).toEqual([]);
  });
});

describe("work", () => {
  test("is listed, counted, shown and stopped", async () => {
    const id = await newEnvironment();
    const env = { CAPSTAN_ENVIRONMENT_ID: id };
    await server.client.createSession({ environment_id: id, initial_events: [message("begin")] });
    const list = await json(["work", "list", "--state", "queued"], { env });
    expect(list).toEqual(await api(`/environments/${id}/work`));
    const work = list.data[0].id;
    expect(await json(["work", "stats"], { env })).toMatchObject({ type: "work_queue_stats", depth: 1 });
    expect(await json(["work", "get", work], { env })).toEqual(list.data[0]);
    expect(await capstan(["work", "release", work], { env })).toMatchObject({ code: 7 });
    expect(await json(["work", "stop", work], { env })).toMatchObject({ state: "stopped" });
    expect((await json(["work", "list", "--state", "queued"], { env })).data).toEqual([]);
  });

  test("a second graceful stop leaves the worker its time", async () => {
    const id = await newEnvironment();
    const env = { CAPSTAN_ENVIRONMENT_ID: id };
    await server.client.createSession({ environment_id: id, initial_events: [message("begin")] });
    const { data } = await server.client.listWork({ environment_id: id });
    const work = data[0]?.id ?? "";
    await server.client.ackWork({ environment_id: id, work_id: work });
    expect(await json(["work", "stop", work], { env })).toMatchObject({ state: "stopping" });
    expect(await json(["work", "stop", work], { env })).toMatchObject({ state: "stopping" });
    expect(await json(["work", "stop", work, "--force"], { env })).toMatchObject({ state: "stopped" });
  });
});

describe("tokens", () => {
  test("are shown once, work with their role, and are revoked", async () => {
    const id = await newEnvironment();
    const worker = await json(["token", "create", "w", "--role", "worker", "--environment", id]);
    expect(worker).toMatchObject({ role: "worker", environment_id: id, token: expect.stringMatching(/^cpt_/) });
    const list = await json(["token", "list"]);
    expect(list.data[0]).toMatchObject({ id: worker.id, name: "w" });
    expect(JSON.stringify(list)).not.toContain(worker.token);

    const env = { CAPSTAN_TOKEN: worker.token };
    expect(await capstan(["work", "stats", "--environment", id], { env })).toMatchObject({ code: 0 });
    const forbidden = await capstan(["env", "create", "x"], { env });
    expect(forbidden).toMatchObject({ code: 5, stderr: expect.stringContaining("a token with the role admin;") });
    expect(await json(["token", "revoke", worker.id])).toMatchObject({ id: worker.id });
    expect(await capstan(["work", "stats", "--environment", id], { env })).toMatchObject({ code: 4 });
  });

  test("an environment goes with role worker only", async () => {
    const { code, stderr } = await capstan(["token", "create", "c", "--environment", await newEnvironment()]);
    expect(code).toBe(2);
    expect(stderr).toContain("--environment goes with --role worker, not with --role client.");
  });
});
