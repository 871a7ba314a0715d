import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";

import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { ensureBuilt } from "../support/build.ts";
import { folderForTest, runCli, startForTest } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

beforeAll(ensureBuilt, 150_000);

const serve = (dataDir: string, env: Record<string, string> = {}) =>
  startForTest(["serve", "--port", "0"], { env: { CAPSTAN_DATA_DIR: dataDir, ...env } });

test("the first start prints one listening line and the first admin token, later ones the line alone", async () => {
  const dataDir = folderForTest();
  const first = serve(dataDir);
  const [, token = ""] = await first.find(/Admin token.*: (cpt_\S+)/);
  first.child.kill("SIGTERM");
  const { code, stdout, stderr } = await first.ended;
  expect(code).toBe(0);
  expect(stdout.trimEnd().split("\n")).toEqual([
    expect.stringMatching(/^Capstan listens on http:\/\/127\.0\.0\.1:\d+$/),
    `Admin token, shown only this once: ${token}`,
  ]);
  expect(stderr).not.toContain(token);

  const second = serve(dataDir);
  const [, url = ""] = await second.find(/listens on (\S+)/);
  const list = await runCli(["token", "list", "--json"], { env: { CAPSTAN_URL: url, CAPSTAN_TOKEN: token } });
  expect(JSON.parse(list.stdout).data).toMatchObject([{ role: "admin" }]);
  second.child.kill("SIGINT");
  expect((await second.ended).stdout.trimEnd().split("\n")).toHaveLength(1);
  expect((await second.ended).code).toBe(0);
});

test("logs are JSON lines on standard error", async () => {
  const server = serve(folderForTest());
  await server.find(/"msg":"listening"/);
  server.child.kill("SIGTERM");
  const { stderr } = await server.ended;
  for (const line of stderr.trimEnd().split("\n")) expect(JSON.parse(line)).toHaveProperty("level");
});

test("an admin token of the operator's choice is accepted and never printed", async () => {
  const token = "a-token-that-an-operator-chose-long-enough";
  const server = serve(folderForTest(), { CAPSTAN_ADMIN_TOKEN: token });
  const [, url = ""] = await server.find(/listens on (\S+)/);
  const list = await runCli(["token", "list"], { env: { CAPSTAN_URL: url, CAPSTAN_TOKEN: token } });
  expect(list.code).toBe(0);
  expect(server.stdout() + server.stderr()).not.toContain(token);
});

test("an admin token that is too short ends the start", async () => {
  const { code, stderr } = await runCli(["serve"], { env: { CAPSTAN_ADMIN_TOKEN: "short" } });
  expect(code).toBe(2);
  expect(stderr).toContain("CAPSTAN_ADMIN_TOKEN must be at least 32 characters");
  expect(stderr).not.toContain('"short"');
});

test("a port that is taken is named, with the way out", async () => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void squatter.close());
  const { port } = squatter.address() as AddressInfo;
  const { code, stderr } = await runCli(["serve", "--port", String(port), "--log-level", "silent"], {
    env: { CAPSTAN_DATA_DIR: folderForTest() },
  });
  expect(code).toBe(1);
  expect(stderr).toBe(
    `error: Port ${port} of 127.0.0.1 is in use by another program.\nhint: Choose another one with --port (CAPSTAN_PORT); 0 takes a free one.\n`,
  );
});

test("a host that is not of this machine is named", async () => {
  const { code, stderr } = await runCli(["serve", "--port", "0", "--host", "192.0.2.1", "--log-level", "silent"], {
    env: { CAPSTAN_DATA_DIR: folderForTest() },
  });
  expect(code).toBe(1);
  expect(stderr).toContain("192.0.2.1 is not an address of this machine.");
});

test("a data folder that another server uses is refused, in words that fit every command", async () => {
  const dataDir = folderForTest();
  const first = serve(dataDir);
  await first.find(/listens on/);
  const file = join(folderForTest(), "new.jsonl");
  for (const words of [["serve", "--port", "0"], ["dev", "--port", "0"], ["migrate"], ["export", file]]) {
    const { code, stderr } = await runCli(words, { env: { CAPSTAN_DATA_DIR: dataDir } });
    expect(code).toBe(1);
    expect(stderr).toContain(
      `A server uses the data folder ${dataDir}. Stop it first, or name another folder with --data-dir.`,
    );
  }
});

test("a data folder that cannot be one is refused", async () => {
  const folder = folderForTest();
  const file = join(folder, "file");
  writeFileSync(file, "");
  const { code, stderr } = await runCli(["serve", "--port", "0", "--data-dir", file]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: .*file.* cannot be used/);

  const damaged = join(folder, "damaged");
  mkdirSync(damaged);
  writeFileSync(join(damaged, "capstan.db"), "no database ".repeat(1_000));
  const second = await runCli(["serve", "--port", "0", "--data-dir", damaged]);
  expect(second.code).toBe(1);
  expect(second.stderr).toContain("is damaged or not a Capstan database");
});

test("a database that cannot be reached is named without its password", async () => {
  const env = { CAPSTAN_DATABASE_URL: "postgres://u:hunter2@127.0.0.1:1/d" };
  const { code, stderr } = await runCli(["serve"], { env });
  expect(code).toBe(1);
  expect(stderr).toContain("PostgreSQL at 127.0.0.1:1 cannot be reached (ECONNREFUSED).");
  expect(stderr).not.toContain("hunter2");
});

test("a second signal ends a server that has not finished yet", async () => {
  const server = serve(folderForTest());
  const [, url = "", token = ""] = await server.find(/listens on (\S+)\nAdmin token.*: (\S+)/);
  // A request whose body never comes keeps the server from finishing; "100 Continue" says that it has begun.
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  socket.write(
    `POST /api/v1/cloud/environments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once("data", resolve));
  server.child.kill("SIGTERM");
  await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(503));
  expect(server.child.exitCode).toBeNull();
  server.child.kill("SIGTERM");
  expect((await server.ended).code).toBe(143);
});
