import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { SessionEvent, Work } from "../../src/client/index.ts";
import { ensureBuilt, ROOT } from "../support/build.ts";
import { folderForTest, runCli, startForTest, startTestServer, type TestServer } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

let server: TestServer;
let environment_id: string;
beforeAll(async () => {
  await ensureBuilt();
  server = await startTestServer();
  environment_id = (await server.client.createEnvironment({ name: "e", config: { type: "self_hosted" } })).id;
}, 150_000);
afterAll(async () => {
  await server.stop();
});

const text = (value: string) => [{ type: "text", text: value }];
const message = (value: string) => ({ type: "user.message", content: text(value) });
const reply = (value: string) => ({ type: "agent.message", content: text(value) });
const start = (...words: string[]) => startForTest(words, { env: server.env });
const capstan = (...words: string[]) => runCli(words, { env: server.env });

async function newSession(...texts: string[]): Promise<string> {
  const initial_events = texts.map(message);
  return (await server.client.createSession({ environment_id, title: "Fix it", initial_events })).id;
}

const send = async (session_id: string, ...events: { type: string; [key: string]: unknown }[]) =>
  (await server.client.sendEvents({ session_id, events })).data;

/** Takes the session's item, as a worker would. */
async function take(session: string): Promise<{ environment_id: string; work_id: string }> {
  for await (const item of server.client.paginate("listWork", { environment_id, state: "queued" })) {
    if (item.data.id !== session) continue;
    await server.client.ackWork({ environment_id, work_id: item.id });
    return { environment_id, work_id: item.id };
  }
  throw new Error(`${session} has no item that waits.`);
}

const events = async (session_id: string): Promise<SessionEvent[]> =>
  (await server.client.listEvents({ session_id, limit: 1_000 })).data;

// Only a pseudo-terminal shows what a terminal is shown, and `script` (util-linux) makes one.
const hasScript = spawnSync("script", ["--version"]).status === 0;

/** Runs a command on a terminal that has no size, for the length of one test. */
function onTerminal(env: Readonly<Record<string, string>>, ...words: string[]) {
  const line = [process.execPath, join(ROOT, "dist", "cli", "main.js"), ...words].join(" ");
  const child = spawn("script", ["-qec", line, "/dev/null"], {
    env: { PATH: process.env.PATH, TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    shown += chunk.replaceAll("\u001b", "<ESC>");
  });
  return { child, shown: () => shown };
}

describe("session watch", () => {
  test("shows what was last and goes on with what comes: when, how long into the turn, who, what", async () => {
    const session = await newSession("Fix the test");
    const watch = start("session", "watch", session);
    await watch.find(/state +running/);
    await take(session);
    await send(session, reply("Let me look.\nIt is red."));
    await watch.find(/It is red/);
    await send(
      session,
      { type: "agent.tool_use", name: "bash", input: { command: "npm test" } },
      { type: "agent.tool_result", content: text("1 failed"), is_error: true },
      { type: "session.error", error: { message: "It broke." } },
    );
    await server.client.archiveSession({ session_id: session });
    const { code, stdout, stderr } = await watch.ended;
    expect(code).toBe(0);
    expect(stderr).toBe(`Session ${session}, Fix it: running\n`);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/^\d\d:\d\d:\d\d +\+\d+\.\d s /, ""))).toEqual([
      "user   Fix the test",
      "state  running",
      "agent  Let me look.",
      `${" ".repeat(26)}It is red.`,
      'tool   bash {"command":"npm test"}',
      "result 1 failed",
      "error  It broke.",
      "state  terminated",
    ]);
  });

  test("shows the first session that comes when there is none, and later the newest, unless one is named", async () => {
    const empty = await startTestServer();
    onTestFinished(async () => void (await empty.stop()));
    const { client, env } = empty;
    const { id } = await client.createEnvironment({ name: "e", config: { type: "self_hosted" } });
    const begin = (words: string) =>
      client.createSession({ environment_id: id, initial_events: [message(words)], title: words });
    const early = startForTest(["session", "watch"], { env });
    await early.find(/no session yet; this waits/);
    const first = await begin("first");
    await early.find(/user +first/);
    await client.archiveSession({ session_id: first.id });
    expect((await early.ended).code).toBe(0);
    await begin("second");
    await begin("third");
    const late = startForTest(["session", "watch"], { env });
    await late.find(/third: running/);
    late.child.kill("SIGINT");
    expect((await late.ended).stdout).not.toContain("second");
  });

  test("with --json gives each event as the API has it, on one line", async () => {
    const session = await newSession("one");
    const watch = start("session", "watch", session, "--json");
    await watch.find(/status_running/);
    await send(session, message("two\nlines"));
    await server.client.archiveSession({ session_id: session });
    const { code, stdout, stderr } = await watch.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const shown = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(shown.map(({ id }) => id)).toEqual((await events(session)).map(({ id }) => id));
    expect(shown[2]).toMatchObject(message("two\nlines"));
  });

  test("begins with as many events as it is told to, and none twice", async () => {
    const session = await newSession("one", "two", "three");
    const [last, none] = [
      start("session", "watch", session, "--last", "2", "--json"),
      start("session", "watch", session, "--last", "0", "--json"),
    ];
    await last.find(/status_running/);
    await eventually(async () => expect(await openStreams(server.url)).toBe(2));
    await send(session, message("four"));
    await server.client.archiveSession({ session_id: session });
    const texts = (stdout: string) => [...stdout.matchAll(/"text":"(\w+)"/g)].map((match) => match[1]);
    expect(texts((await last.ended).stdout)).toEqual(["three", "four"]);
    await none.ended;
    expect(texts(none.stdout())).toEqual(["four"]);
  });

  test("shortens long texts, and shows them whole with --full", async () => {
    const session = await newSession(Array.from({ length: 30 }, (_, index) => `line ${index}`).join("\n"));
    await server.client.archiveSession({ session_id: session });
    const short = await capstan("session", "watch", session);
    expect(short.stdout).toContain("line 19\n");
    expect(short.stdout).toContain("… 10 more lines\n");
    expect(short.stdout).not.toContain("line 20");
    expect((await capstan("session", "watch", session, "--full")).stdout).toContain("line 29\n");
  });

  test("does not let a text steer the terminal", async () => {
    const session = await newSession("a\u001b[2Jb\u0007c");
    await server.client.archiveSession({ session_id: session });
    expect((await capstan("session", "watch", session)).stdout).toContain("user   a[2Jbc\n");
  });

  test("ends with Ctrl-C, and the session goes on", async () => {
    const session = await newSession("x");
    const watch = start("session", "watch", session);
    await watch.find(/running/);
    watch.child.kill("SIGINT");
    expect((await watch.ended).code).toBe(0);
    expect(await server.client.getSession({ session_id: session })).toMatchObject({ status: "running" });
  });

  test("says what is wrong before it begins to wait", async () => {
    const missing = await capstan("session", "watch", `sess_${"0".repeat(32)}`);
    expect(missing).toMatchObject({ code: 6, stdout: "", stderr: expect.stringContaining("does not exist") });
    const nowhere = { ...server.env, CAPSTAN_URL: "http://127.0.0.1:1" };
    const lost = await runCli(["session", "watch", `sess_${"0".repeat(32)}`], { env: nowhere });
    expect(lost).toMatchObject({ code: 3, stdout: "" });
  });

  test.skipIf(!hasScript)("on a terminal it is coloured, with a last line that changes in place", async () => {
    const session = await newSession("x");
    const { child, shown } = onTerminal(server.env, "session", "watch", session);
    await eventually(() => expect(shown()).toContain("<ESC>[36muser"));
    await eventually(() => expect(shown()).toMatch(/\r<ESC>\[2K── runs for \d+\.\d s; Ctrl-C ends the watch/));
    await server.client.archiveSession({ session_id: session });
    await new Promise((resolve) => child.once("close", resolve));
    expect(shown().endsWith("terminated\r\n") || shown().endsWith("<ESC>[2K")).toBe(true);
  });
});

test("a watch that loses its server says so, and goes on when it is back", async () => {
  const own = await startTestServer();
  const { client } = own;
  const { port } = new URL(own.url);
  const environment = await client.createEnvironment({ name: "e", config: { type: "self_hosted" } });
  const { id } = await client.createSession({ environment_id: environment.id });
  const watch = startForTest(["session", "watch", id, "--json"], { env: own.env });
  await eventually(async () => expect(await openStreams(own.url)).toBe(1));
  await own.stop();
  await watch.find(/Next try in/);
  // Another server with another, empty database: the session is not there any more, which is for good.
  const other = startForTest(["serve", "--port", port], {
    env: { CAPSTAN_DATA_DIR: folderForTest(), CAPSTAN_ADMIN_TOKEN: own.token },
  });
  await other.find(/listens on/);
  expect((await watch.ended).code).toBe(6);
});

async function openStreams(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^capstan_event_streams_open (\d+)$/m.exec(metrics)?.[1]);
}

describe("session send --follow", () => {
  test("prints what the agent answers, and ends with the turn", async () => {
    const session = await newSession("before");
    await send(session, message("unseen"));
    const item = await take(session);
    await send(session, reply("old answer"));
    const following = start("session", "send", session, "now", "--follow");
    await eventually(async () => expect((await events(session)).at(-1)).toMatchObject(message("now")));
    await send(session, reply("new answer"));
    await following.find(/new answer/);
    await server.client.stopWork({ ...item, force: true });
    expect(await following.ended).toMatchObject({ code: 0, stdout: "new answer\n" });
  });

  test("does not take the end of the turn before for its own, from a worker that stays", async () => {
    const session = await newSession("first");
    const item = await take(session);
    const [first] = await events(session);
    const following = start("session", "send", session, "second", "--follow", "--json");
    await eventually(async () => expect((await events(session)).at(-1)).toMatchObject(message("second")));
    const second = (await events(session)).at(-1)?.id;
    await send(session, { type: "span.turn_end", processed_through: first?.id });
    await send(session, reply("answer to the second"));
    await following.find(/answer to the second/);
    await send(session, { type: "span.turn_end", processed_through: second });
    const { code, stdout } = await following.ended;
    expect(code).toBe(0);
    const types = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).type);
    expect(types).toEqual(["span.turn_end", "agent.message", "span.turn_end"]);
    await server.client.stopWork({ ...item, force: true });
  });

  test("tells by its exit code how the turn has ended", async () => {
    const broken = await newSession("x");
    const item = await take(broken);
    const failing = start("session", "send", broken, "y", "--follow");
    await eventually(async () => expect((await events(broken)).at(-1)).toMatchObject(message("y")));
    await send(broken, { type: "session.error", error: { message: "out of memory" } }, reply("sorry"));
    await server.client.stopWork({ ...item, force: true });
    expect(await failing.ended).toMatchObject({ code: 10, stderr: expect.stringContaining("error: out of memory") });

    const { client } = server;
    for (const [ended, end] of [
      ["cancelled", (id: string) => client.cancelSession({ session_id: id })],
      ["archived", (id: string) => client.archiveSession({ session_id: id })],
    ] as const) {
      const session = await newSession();
      const following = start("session", "send", session, "x", "--follow");
      await eventually(async () => expect(await events(session)).toHaveLength(2));
      await end(session);
      const stderr = expect.stringContaining(`The session was ${ended}.`);
      expect(await following.ended).toMatchObject({ code: 11, stdout: "", stderr });
    }
  });
});

test("run prints the answer while it comes, and ends with the turn", async () => {
  const running = startForTest(["run", "Say hello", "--title", "greeting"], {
    env: { ...server.env, CAPSTAN_ENVIRONMENT_ID: environment_id },
  });
  const [, session = ""] = await running.find(/Session (sess_\w+); Ctrl-C cancels it/);
  const item = await take(session);
  await send(session, reply("Hel"));
  await running.find(/Hel\n/);
  await send(session, reply("lo."));
  await running.find(/lo\./);
  expect(running.stdout()).toBe("Hel\nlo.\n");
  await server.client.stopWork({ ...item, force: true });
  expect((await running.ended).code).toBe(0);
});

describe("work watch", () => {
  const queue = async () => {
    const { id } = await server.client.createEnvironment({ name: "w", config: { type: "self_hosted" } });
    return { id, env: { ...server.env, CAPSTAN_ENVIRONMENT_ID: id } };
  };

  async function oneItem(id: string) {
    await server.client.createSession({ environment_id: id, initial_events: [message("x")] });
    const [item] = (await server.client.listWork({ environment_id: id })).data;
    return { environment_id: id, work_id: (item as Work).id };
  }

  test("tells of each change of state, and ends with Ctrl-C", async () => {
    const { id, env } = await queue();
    const watch = startForTest(["work", "watch"], { env });
    const item = await oneItem(id);
    await watch.find(/work_\w+ {2}queued {2}sess_/);
    await server.client.ackWork(item);
    await watch.find(/work_\w+ {2}queued → starting {2}sess_/);
    await server.client.heartbeatWork({ ...item, expected_last_heartbeat: "NO_HEARTBEAT" });
    await watch.find(/starting → active/);
    await server.client.stopWork({ ...item, force: true });
    await watch.find(/active → stopped/);
    watch.child.kill("SIGINT");
    const { code, stdout } = await watch.ended;
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(4);
  });

  test.skipIf(!hasScript)("on a terminal it is a table that is drawn anew in its place", async () => {
    const { id, env } = await queue();
    const { shown } = onTerminal(env, "work", "watch");
    await oneItem(id);
    await eventually(() => expect(shown()).toMatch(/queued/));
    await eventually(() => expect(shown()).toMatch(/<ESC>\[3A\r<ESC>\[J/));
    expect(shown()).not.toContain("Infinity");
  });

  test("with --json gives the item whenever its state changes", async () => {
    const { id, env } = await queue();
    const item = await oneItem(id);
    const watch = startForTest(["work", "watch", "--json"], { env });
    await watch.find(/"state":"queued"/);
    await server.client.stopWork(item);
    await watch.find(/"state":"stopped"/);
    const shown = watch
      .stdout()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(shown).toMatchObject([
      { id: item.work_id, state: "queued" },
      { id: item.work_id, state: "stopped" },
    ]);
    expect(shown[1]).toEqual(await server.client.getWork(item));
  });
});
