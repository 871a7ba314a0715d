/** The first admin token, over restarts. These servers bring no token of their own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { openSqliteStore } from "../../src/storage/sqlite/store.ts";
import { StoreRefused } from "../../src/storage/store.ts";
import { intercepting } from "../support/intercepting.ts";

async function dataFolder(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "capstan-test-"));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

const start = (dataDir: string, adminToken?: string): Promise<RunningServer> =>
  startServer({ dataDir, port: 0, logLevel: "silent", adminToken });

async function statusWith(server: RunningServer, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`${server.url}/api/v1/cloud/tokens`, { headers })).status;
}

test("the first start makes an admin token, later ones keep it and make none", async () => {
  const dataDir = await dataFolder();
  const first = await start(dataDir);
  const token = first.adminToken ?? "";
  expect(await statusWith(first, token)).toBe(200);
  await first.stop();
  const second = await start(dataDir);
  expect(second.adminToken).toBeUndefined();
  expect(await statusWith(second, token)).toBe(200);
  await second.stop();
});

test("a given admin token is valid while the server runs with it, and none is made", async () => {
  const dataDir = await dataFolder();
  const given = "a-token-that-an-operator-has-chosen";
  const first = await start(dataDir, given);
  expect(first.adminToken).toBeUndefined();
  expect(await statusWith(first, given)).toBe(200);
  await first.stop();
  const second = await start(dataDir);
  expect(await statusWith(second, given)).toBe(401);
  expect(await statusWith(second, second.adminToken ?? "")).toBe(200);
  await second.stop();
});

test.each([31, 4_097])("an admin token of %i characters is refused with what to do", async (characters) => {
  const starting = start(await dataFolder(), "x".repeat(characters));
  await expect(starting).rejects.toThrow(StoreRefused);
  await expect(starting).rejects.toThrow("must have 32 to 4096 characters");
});

test("an admin token that looks like a Work-Token is an admin token all the same", async () => {
  const given = `cwt_${"0123456789".repeat(4)}`;
  const server = await start(await dataFolder(), given);
  expect(await statusWith(server, given)).toBe(200);
  expect(await statusWith(server, `${given}x`)).toBe(401);
  await server.stop();
});

test("a start that fails gives up what it has opened, so that the next one can have it", async () => {
  const dataDir = await dataFolder();
  const broken = async () => {
    const store = await openSqliteStore({ dataDir });
    return intercepting("secret", () => () => Promise.reject(new Error("no key")))(store);
  };
  await expect(startServer({ dataDir, port: 0, logLevel: "silent" }, broken)).rejects.toThrow("no key");
  await (await start(dataDir)).stop();
});
