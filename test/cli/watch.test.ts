import { describe, expect, onTestFinished, test } from "vitest";
import { folderForTest, runCli, startForTest, startTestServer } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { hasScript, onTerminal } from "../support/terminal.ts";
import { message, reply, text, turnsOfThisFile } from "../support/turns.ts";

const { server, start, newSession, send, events, take } = await turnsOfThisFile();
const capstan = (...words: string[]) => runCli(words, { env: server.env });

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
