import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt } from "../support/build.ts";
import { type CliProcess, folderForTest, runCli, startForTest } from "../support/cli.ts";

beforeAll(ensureBuilt, 150_000);

const startDev = (dataDir: string, words: string[] = []): CliProcess =>
  startForTest(["dev", "--port", "0", ...words], { env: { CAPSTAN_DATA_DIR: dataDir } });

async function stop(dev: CliProcess) {
  dev.child.kill("SIGINT");
  return await dev.ended;
}

test("everything is ready at once, found by other commands, and used again by the next start", async () => {
  const dataDir = folderForTest();
  const env = { CAPSTAN_DATA_DIR: dataDir };
  const first = startDev(dataDir);
  const [, environment] = await first.find(/environment +(env_\w+)/);
  const [, token] = await first.find(/admin token +(\S+)/);
  const run = await runCli(["run", "Say hello"], { env });
  expect(run.code).toBe(0);
  expect(run.stdout).toMatch(/^You said: Say hello\n.*transcript\.md holds it\.\n$/);
  expect(await stop(first)).toMatchObject({ code: 0 });

  const file = join(dataDir, "dev.json");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const remembered = JSON.parse(readFileSync(file, "utf8"));
  expect(remembered).toMatchObject({ admin_token: token, environment_id: environment });

  const second = startDev(dataDir);
  await second.find(/Capstan is ready/);
  const { url: _url, ...before } = remembered;
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject(before);
  const { stdout } = await runCli(["session", "list", "--json"], { env });
  expect(JSON.parse(stdout).data).toHaveLength(1);
  expect((await runCli(["env", "list", "--json"], { env })).stdout).toContain(String(environment));
  expect((await runCli(["doctor"], { env })).code).toBe(0);
  await stop(second);
  expect(await runCli(["session", "list"], { env })).toMatchObject({ code: 3 });
});

test("the lines to paste work as they are printed", async () => {
  const dev = startDev(folderForTest());
  const [, url, token, body] = await dev.find(/curl (\S+) -H 'Authorization: Bearer (\S+)' -d '(.*)'/);
  const answer = await fetch(String(url), {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: String(body),
  });
  expect(answer.status).toBe(200);
  const [, words = ""] = await dev.find(/npx capstan (run .*) "Say hello"/);
  expect((await runCli([...words.split(" "), "Say hello"], { env: { CAPSTAN_DATA_DIR: "" } })).code).toBe(0);
  await stop(dev);
});

test("a command of one's own takes the place of the built-in agent", async () => {
  const dataDir = folderForTest();
  const dev = startDev(dataDir, ["--", "sh", "-c", "echo own agent"]);
  await dev.find(/worker runs +sh -c echo own agent/);
  const run = await runCli(["run", "x"], { env: { CAPSTAN_DATA_DIR: dataDir } });
  expect(run).toMatchObject({ code: 0, stdout: "own agent\n" });
  await stop(dev);
});

test("what was remembered and is gone is made anew", async () => {
  const dataDir = folderForTest();
  const gone = {
    url: "http://127.0.0.1:1",
    admin_token: "a-token-of-a-database-that-is-no-more",
    environment_id: "env_01981f3a9c2e7b1c8d4e5f60718293a4",
    worker_token: "cpt_gone",
  };
  writeFileSync(join(dataDir, "dev.json"), JSON.stringify(gone));
  const dev = startDev(dataDir);
  await dev.find(/Capstan is ready/);
  expect((await runCli(["run", "x"], { env: { CAPSTAN_DATA_DIR: dataDir } })).code).toBe(0);
  await stop(dev);
});

test("the token of capstan dev goes to no other server", async () => {
  const dataDir = folderForTest();
  const dev = startDev(dataDir);
  await dev.find(/Capstan is ready/);
  const elsewhere = await runCli(["session", "list"], {
    env: { CAPSTAN_DATA_DIR: dataDir, CAPSTAN_URL: "http://127.0.0.1:9" },
  });
  expect(elsewhere.code).toBe(4);
  await stop(dev);
});

test("a damaged file is named", async () => {
  const dataDir = folderForTest();
  writeFileSync(join(dataDir, "dev.json"), "{");
  const { code, stderr } = await runCli(["session", "list"], { env: { CAPSTAN_DATA_DIR: dataDir } });
  expect(code).toBe(1);
  expect(stderr).toContain("dev.json is damaged.");
});

describe("a worker of one's own", () => {
  /** Says what it finds, and then how it is told to end. */
  const PROGRAM = `
    const { CAPSTAN_URL, CAPSTAN_TOKEN, CAPSTAN_ENVIRONMENT_ID, CAPSTAN_ADMIN_TOKEN } = process.env;
    const headers = { authorization: "Bearer " + CAPSTAN_TOKEN };
    const answer = await fetch(CAPSTAN_URL + "/api/v1/cloud/environments/" + CAPSTAN_ENVIRONMENT_ID + "/work/stats", { headers });
    console.log("asked its queue:", answer.status, CAPSTAN_ADMIN_TOKEN);
    process.on("SIGTERM", () => { console.log("was told to end"); process.exit(3); });
    setInterval(() => {}, 1000);`;

  test("is started with what it needs to know, and told to end before the server does", async () => {
    const dev = startDev(folderForTest(), [
      "--own-worker",
      "--",
      process.execPath,
      "--input-type=module",
      "-e",
      PROGRAM,
    ]);
    await dev.find(/asked its queue: 200 undefined/);
    await dev.find(/worker +\S*node /);
    expect(await stop(dev)).toMatchObject({ code: 0, stdout: expect.stringMatching(/was told to end\n$/) });
  });

  test("that ends by itself, or does not even start, ends all of it", async () => {
    const ends = startDev(folderForTest(), ["--own-worker", "--", "sh", "-c", "exit 7"]);
    const { code, stderr } = await ends.ended;
    expect(code).toBe(1);
    expect(stderr).toContain("The worker has ended with code 7.");
    const missing = await startDev(folderForTest(), ["--own-worker", "--", "./no-such-program"]).ended;
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("no-such-program cannot be started");
  });

  test("is a person's business when there is no command: the line that it needs works as it is printed", async () => {
    const dev = startDev(folderForTest(), ["--own-worker"]);
    const [, url, token, environment] = await dev.find(
      /export CAPSTAN_URL=(\S+) CAPSTAN_TOKEN=(\S+) CAPSTAN_ENVIRONMENT_ID=(\S+)/,
    );
    const answer = await fetch(`${url}/api/v1/cloud/environments/${environment}/work/poll`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(200);
    expect(await stop(dev)).toMatchObject({ code: 0 });
  });

  test("says for itself how it works", async () => {
    const refused = await startDev(folderForTest(), ["--own-worker", "--concurrency", "2", "--output", "jsonl"]).ended;
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("--concurrency, --output cannot be used with --own-worker");
  });
});
