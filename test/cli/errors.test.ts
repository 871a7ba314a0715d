import { describe, expect, test } from "vitest";
import { runCli, serverOfThisFile, startTestServer } from "../support/cli.ts";
import { refusal, scriptedServer } from "../support/scripted-server.ts";

const server = await serverOfThisFile();

const UNKNOWN_SESSION = "sess_01981f3a9c2e7b1c8d4e5f60718293a4";
/** Nothing listens on the port of a server that has just ended. */
const NOWHERE = "http://127.0.0.1:9";

describe("every error says what to do next and has its own exit code:", () => {
  test("no token", async () => {
    const { code, stderr } = await runCli(["session", "list"]);
    expect(code).toBe(4);
    expect(stderr).toContain("CAPSTAN_TOKEN is not set");
    expect(stderr).toContain("hint: Set CAPSTAN_TOKEN");
  });

  test("a token that the server does not know", async () => {
    const env = { ...server.env, CAPSTAN_TOKEN: "cpt_unknown_but_well_formed" };
    const { code, stderr } = await runCli(["session", "list"], { env });
    expect(code).toBe(4);
    expect(stderr).toContain("hint: Set CAPSTAN_TOKEN to a valid token");
    expect(stderr).not.toContain("cpt_unknown");
  });

  test("a token that may not", async () => {
    const { id } = await server.client.createEnvironment({ name: "bound", config: { type: "self_hosted" } });
    const { token } = await server.client.createToken({ name: "w", role: "worker", environment_id: id });
    const env = { ...server.env, CAPSTAN_TOKEN: token };
    const create = await runCli(["session", "create", "--environment", id], { env });
    expect(create).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("Use a token with the role admin or client;"),
    });
    const send = await runCli(["session", "send", UNKNOWN_SESSION, "hi"], { env });
    expect(send.stderr).toContain("Use a token with the role admin or client;");
    const read = await runCli(["session", "events", UNKNOWN_SESSION], { env });
    expect(read.stderr).toContain(
      "a worker token of the environment that is meant, or one with the role admin or client;",
    );
  });

  test("a token that may do some of what the command does", async () => {
    const { token } = await server.client.createToken({ name: "c", role: "client" });
    const env = { ...server.env, CAPSTAN_TOKEN: token };
    expect((await runCli(["ids", "session"], { env })).code).toBe(0);
    const { code, stderr } = await runCli(["ids", "token"], { env });
    expect(code).toBe(5);
    expect(stderr).toContain("hint: Use a token with the role admin;");
  });

  test("a server that is not there", async () => {
    const { code, stderr } = await runCli(["session", "list"], { env: { CAPSTAN_URL: NOWHERE, CAPSTAN_TOKEN: "x" } });
    expect(code).toBe(3);
    expect(stderr).toContain("127.0.0.1:9");
    expect(stderr).toContain("hint: Is `capstan serve` running there?");
  });

  test("something that does not exist", async () => {
    const { code, stderr } = await runCli(["session", "get", UNKNOWN_SESSION], { env: server.env });
    expect(code).toBe(6);
    expect(stderr).toContain(`Session ${UNKNOWN_SESSION} does not exist.`);
    expect(stderr).toContain("hint: `capstan session list`");
  });

  test("something that is archived, or has no queue", async () => {
    const { client, env } = server;
    const archived = await client.createEnvironment({ name: "old", config: { type: "self_hosted" } });
    await client.archiveEnvironment({ environment_id: archived.id });
    const late = await runCli(["session", "create", "--environment", archived.id], { env });
    expect(late.stderr).toContain("hint: `capstan env list --include-archived` shows what there is.");
    const cloud = await client.createEnvironment({ name: "cloud" });
    const nowhere = await runCli(["session", "create", "--environment", cloud.id], { env });
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining("hint: `capstan env list` shows") });
  });

  test("an id that is none", async () => {
    const { code, stderr } = await runCli(["session", "get", "sess_1"], { env: server.env });
    expect(code).toBe(2);
    expect(stderr).toContain("<session> must be an id: sess_ followed by 32 hex digits");
    expect(stderr).toContain("hint: `capstan session get --help`");
  });

  test("a request that the server finds wrong", async () => {
    const { code, stderr } = await runCli(["env", "create", "x".repeat(300)], { env: server.env });
    expect(code).toBe(2);
    expect(stderr).toContain("name");
  });

  test("a server that takes no calls", async () => {
    const busy = await scriptedServer(() =>
      refusal(503, "api_error", "The server is stopping.", { "retry-after": "0" }),
    );
    const env = { CAPSTAN_URL: busy.url, CAPSTAN_TOKEN: "x" };
    const { code, stderr } = await runCli(["session", "list"], { env });
    await busy.close();
    expect(code).toBe(8);
    expect(stderr).toBe("error: The server is stopping.\nhint: Try again in a moment.\n");
  });

  test("a server that fails", async () => {
    const broken = await scriptedServer(() => refusal(500, "api_error", "Something went wrong."));
    const env = { CAPSTAN_URL: broken.url, CAPSTAN_TOKEN: "x" };
    const { code, stderr } = await runCli(["session", "cancel", UNKNOWN_SESSION], { env });
    await broken.close();
    expect(code).toBe(1);
    expect(stderr).toContain("hint: The server's log says more about request req-1.");
  });

  test("a command that does not exist", async () => {
    expect(await runCli(["sesion", "list"])).toMatchObject({
      code: 2,
      stderr: "error: Unknown command 'sesion'.\nhint: Did you mean `session`?\n",
    });
    expect(await runCli(["session", "obliterate"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("hint: `capstan session --help` lists the commands."),
    });
    expect(await runCli(["session", "lst"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("`capstan session list`"),
    });
  });

  test("an option that does not exist, or is wrong, or an argument too many or too few", async () => {
    for (const [words, message] of [
      [["serve", "--prot", "1"], "Unknown option '--prot'."],
      [["session", "list", "--limit", "0"], '--limit must be a whole number from 1 to 10000, not "0".'],
      [["session", "list", "--page", "sess_nope"], "--page must be the next_page of a list, sess_ followed by"],
      [["work", "list", "--page", UNKNOWN_SESSION], "--page must be the next_page of a list, work_ followed by"],
      [["session", "events", UNKNOWN_SESSION, "--type", "bogus"], "--type must be one event type, such as agent.mess"],
      [["session", "get"], "Missing required argument 'session'."],
      [["doctor", "now"], "Too many arguments"],
      [["env", "create", "x", "--metadata", "novalue"], '--metadata must be key=value, not "novalue".'],
      [["env", "create", "x", "--setup-script", "/nonexistent.sh"], "/nonexistent.sh cannot be read: ENOENT."],
      [["work", "list", "--environment", "prod"], "--environment (CAPSTAN_ENVIRONMENT_ID) must be an id"],
    ] as const) {
      const { code, stderr, stdout } = await runCli(words, { env: server.env });
      expect(stderr, words.join(" ")).toContain(message);
      expect(stderr).toContain("hint: ");
      expect(stdout).toBe("");
      expect(code).toBe(2);
    }
  });
});

describe("which environment is meant", () => {
  test("is the only one with a queue, and has to be said when there are several", async () => {
    const alone = await startTestServer();
    const env = alone.env;
    expect(await runCli(["work", "stats"], { env })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("capstan env create"),
    });
    await runCli(["env", "create", "first"], { env });
    expect(await runCli(["work", "stats"], { env })).toMatchObject({ code: 0 });
    await runCli(["env", "create", "second"], { env });
    const several = await runCli(["work", "stats"], { env });
    expect(several.code).toBe(2);
    expect(several.stderr).toMatch(/--environment \(CAPSTAN_ENVIRONMENT_ID\): env_\w+ \(second\), env_\w+ \(first\)/);
    await alone.stop();
  });
});
