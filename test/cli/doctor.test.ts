import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkClock, checkNode } from "../../src/cli/doctor/checks.ts";
import { folderForTest, runCli, serverOfThisFile, startForTest } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { scriptedServer } from "../support/scripted-server.ts";

const server = await serverOfThisFile();

async function doctor(env: Record<string, string>) {
  const { code, stdout } = await runCli(["doctor", "--json"], { env });
  const { ok, findings } = JSON.parse(stdout);
  const failed = findings.filter(({ status }: { status: string }) => status === "fail");
  expect({ code, ok }).toEqual(failed.length === 0 ? { code: 0, ok: true } : { code: 1, ok: false });
  for (const { next } of failed) expect(next).toBeTruthy();
  return Object.fromEntries(findings.map((finding: { check: string }) => [finding.check, finding]));
}

const token = async (role: string, words: string[] = []): Promise<string> => {
  const { stdout } = await runCli(["token", "create", "t", "--role", role, "--json", ...words], { env: server.env });
  return JSON.parse(stdout).token;
};

describe("the doctor", () => {
  test("finds everything in order, and the role of the token by what it may do", async () => {
    const environment = JSON.parse((await runCli(["env", "create", "e", "--json"], { env: server.env })).stdout).id;
    for (const [role, secret] of [
      ["admin", server.token],
      ["client", await token("client")],
      ["worker", await token("worker", ["--environment", environment])],
    ] as const) {
      const env = { CAPSTAN_URL: server.url, CAPSTAN_TOKEN: secret, CAPSTAN_ENVIRONMENT_ID: environment };
      expect(await doctor(env)).toMatchObject({
        node: { status: "ok" },
        server: { status: "ok" },
        ready: { status: "ok", detail: expect.stringMatching(/^store sqlite, schema \d+$/) },
        clock: { status: "ok" },
        token: { status: "ok", detail: `accepted, role ${role}` },
        environment: { status: "warn", detail: "0 waiting, 0 workers polling" },
        sandbox: { detail: expect.stringContaining("bubblewrap") },
        memory: { detail: expect.stringContaining("Memory can") },
        cpu: { detail: expect.stringContaining("Processor time can") },
        processes: { detail: expect.stringContaining("The number of processes can") },
      });
    }
  });

  test("says what to do when nothing answers, no token is set, or the token is wrong", async () => {
    expect(await doctor({ CAPSTAN_URL: "http://127.0.0.1:9" })).toMatchObject({
      server: { status: "fail", next: expect.stringContaining("capstan serve") },
      ready: { status: "skipped", detail: "not checked: no server answers" },
      clock: { status: "skipped", detail: "not checked: no server answers" },
      environment: { status: "skipped", detail: "not checked: no server answers" },
      token: { status: "fail", next: expect.stringContaining("CAPSTAN_TOKEN") },
    });
    expect(await doctor({ CAPSTAN_URL: server.url, CAPSTAN_TOKEN: "cpt_unknown" })).toMatchObject({
      server: { status: "ok" },
      token: { status: "fail", detail: "The server does not accept this token." },
      environment: { status: "skipped", detail: "not checked: there is no token that the server accepts" },
    });
    expect(await doctor({ CAPSTAN_URL: "http://127.0.0.1:9", CAPSTAN_TOKEN: "cpt_any" })).toMatchObject({
      token: { status: "skipped", detail: "not checked: no server answers" },
    });
    expect(await doctor(server.env)).toMatchObject({
      environment: { status: "skipped", detail: "not checked: none is named by CAPSTAN_ENVIRONMENT_ID" },
    });
  });

  test("counts one worker as one", async () => {
    const { id } = await server.client.createEnvironment({ name: "served", config: { type: "self_hosted" } });
    const env = { ...server.env, CAPSTAN_ENVIRONMENT_ID: id };
    startForTest(["worker", "--workspace-root", folderForTest(), "--", "true"], { env });
    await eventually(async () => {
      expect(await doctor(env)).toMatchObject({ environment: { status: "ok", detail: "0 waiting, 1 worker polling" } });
    });
  });

  test("makes all other checks when it cannot read what capstan dev remembers", async () => {
    const folder = folderForTest();
    writeFileSync(join(folder, "dev.json"), "not JSON");
    expect(await doctor({ ...server.env, CAPSTAN_DATA_DIR: folder })).toMatchObject({
      "dev.json": { status: "fail", detail: expect.stringContaining("is damaged") },
      server: { status: "ok" },
      token: { status: "ok" },
    });
  });

  test("notices an environment that the token may not use", async () => {
    const env = { ...server.env, CAPSTAN_ENVIRONMENT_ID: "env_01981f3a9c2e7b1c8d4e5f60718293a4" };
    expect(await doctor(env)).toMatchObject({ environment: { status: "fail" } });
  });

  test("notices a server that cannot work, and something that is no Capstan at all", async () => {
    const draining = await scriptedServer(({ path }) => ({ status: path === "/readyz" ? 503 : 200, json: {} }));
    expect(await doctor({ CAPSTAN_URL: draining.url })).toMatchObject({
      server: { status: "ok" },
      ready: { status: "fail" },
    });
    await draining.close();
    const stranger = await scriptedServer(() => ({ status: 404, json: {} }));
    expect(await doctor({ CAPSTAN_URL: stranger.url })).toMatchObject({
      server: { status: "fail", detail: expect.stringContaining("answers 404") },
    });
    await stranger.close();
  });

  test("writes its findings for people, each with its next step", async () => {
    const { stdout } = await runCli(["doctor"], { env: { CAPSTAN_URL: "http://127.0.0.1:9" } });
    expect(stdout).toMatch(/^✓ node +Node /m);
    expect(stdout).toMatch(/^– clock +not checked: no server answers$/m);
    expect(stdout).toMatch(/^✗ server +Nothing answers at http:\/\/127\.0\.0\.1:9\.\n +→ Start it/m);
  });
});

test("Node is compared by its numbers", () => {
  expect(["20.19.0", "20.20.2", "26.0.0"].map((version) => checkNode(version, ">=20.19").status)).toEqual([
    "ok",
    "ok",
    "ok",
  ]);
  expect(["20.9.0", "18.20.0"].map((version) => checkNode(version, ">=20.19").status)).toEqual(["fail", "fail"]);
});

test("a clock that differs is told with its direction, and does no harm", () => {
  const now = Date.parse("2026-07-01T12:00:00Z");
  const at = (seconds: number) => new Date(now + seconds * 1_000).toUTCString();
  expect(checkClock(at(3), now).status).toBe("ok");
  expect(checkClock(at(120), now)).toMatchObject({
    status: "warn",
    detail: "This clock is 2 min behind the server's.",
  });
  expect(checkClock(at(-120), now).detail).toContain("ahead of");
  expect(checkClock(null, now).status).toBe("warn");
});
