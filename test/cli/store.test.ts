import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { openPostgresStore } from "../../src/storage/postgres/store.ts";
import { openSqliteStore } from "../../src/storage/sqlite/store.ts";
import { POLICY, value } from "../storage/conformance/support.ts";
import { ensureBuilt } from "../support/build.ts";
import { folderForTest, runCli } from "../support/cli.ts";
import { createTestSchema } from "../support/postgres.ts";

beforeAll(ensureBuilt, 120_000);

async function storeWithOneEnvironment(): Promise<string> {
  const dataDir = folderForTest();
  const store = await openSqliteStore({ dataDir });
  const input = { name: "moved", description: "", config: {}, selfHosted: true, policy: POLICY, metadata: {} };
  value(await store.execute("createEnvironment", input));
  await store.close();
  return dataDir;
}

async function emptyDatabase() {
  const { url, schema, drop } = await createTestSchema();
  onTestFinished(drop);
  return { url, schema, env: { CAPSTAN_DATABASE_URL: url, CAPSTAN_DATABASE_SCHEMA: schema } };
}

test("an embedded store moves to PostgreSQL through a file that only its owner can read", async () => {
  const dataDir = await storeWithOneEnvironment();
  const { url, schema, env } = await emptyDatabase();
  const file = join(dataDir, "capstan.jsonl");
  const exported = await runCli(["export", file, "--data-dir", dataDir]);
  expect(exported).toMatchObject({ code: 0, stderr: "" });
  expect(exported.stdout).toContain("environment 1,");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const imported = await runCli(["import", file], { env });
  expect(imported).toMatchObject({ code: 0, stderr: "" });
  expect(imported.stdout).toContain("environment 1,");
  const store = await openPostgresStore({ url, schema });
  const { data } = await store.listEnvironments({ limit: 9, order: "ascending" }, { includeArchived: false });
  await store.close();
  expect(data.map(({ name }) => name)).toEqual(["moved"]);
  const again = await runCli(["import", file], { env });
  expect(again.code).toBe(1);
  expect(again.stderr).toContain("is not empty. Import into a new one.");
});

test("an export overwrites nothing, and needs a store", async () => {
  const dataDir = await storeWithOneEnvironment();
  const file = join(dataDir, "precious");
  writeFileSync(file, "precious");
  const refused = await runCli(["export", file, "--data-dir", dataDir]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("is there already. Name a new file.");
  expect(readFileSync(file, "utf8")).toBe("precious");
  const nowhere = await runCli(["export", join(dataDir, "x"), "--data-dir", join(dataDir, "nowhere")]);
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain("holds no database.");
});

test("a file that cannot be read, or is no export, is named, and no store is made for it", async () => {
  const folder = folderForTest();
  writeFileSync(join(folder, "README.md"), "# No export\n");
  writeFileSync(join(folder, "empty"), "");
  const dataDir = join(folder, "new");
  for (const [file, exit, sentence] of [
    ["nothing", 2, "nothing cannot be opened (ENOENT)."],
    [".", 2, "is not a file."],
    ["README.md", 1, "README.md is not an export of Capstan.\n"],
    ["empty", 1, "empty is not an export of Capstan.\n"],
  ] as const) {
    const { code, stderr } = await runCli(["import", join(folder, file), "--data-dir", dataDir]);
    expect(stderr).toContain(sentence);
    expect(code).toBe(exit);
  }
  expect(existsSync(dataDir)).toBe(false);
});

test("a dash is no file, neither to write to nor to read from", async () => {
  const cwd = folderForTest();
  for (const words of [
    ["export", "-"],
    ["import", "-"],
  ]) {
    const { code, stderr } = await runCli([...words, "--data-dir", await storeWithOneEnvironment()], { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain("neither standard output nor standard input");
  }
  expect(readdirSync(cwd)).toEqual([]);
});

test("a database URL without the password that the server wants is told in one sentence by every command", async () => {
  const { url } = await emptyDatabase();
  const folder = folderForTest();
  const begun = join(folder, "begun.jsonl");
  writeFileSync(begun, '{"format":"capstan-export","version":1}\n');
  const env = { CAPSTAN_DATABASE_URL: Object.assign(new URL(url), { password: "" }).href };
  for (const words of [
    ["serve", "--port", "0"],
    ["migrate"],
    ["export", join(folder, "new.jsonl")],
    ["import", begun],
  ]) {
    const { code, stderr } = await runCli(words, { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: PostgreSQL at \S+ wants a password of user \w+ for database \w+, and .*\.\n$/);
  }
});

test("a dry run says what a migration would do, and the migration does it", async () => {
  const { env } = await emptyDatabase();
  for (const where of [{ env }, { env: { CAPSTAN_DATA_DIR: folderForTest() } }]) {
    expect((await runCli(["migrate", "--dry-run"], where)).stdout).toMatch(/^would apply 1 initial$/m);
    expect((await runCli(["migrate"], where)).stdout).toMatch(/^applied 1 initial$/m);
    expect((await runCli(["migrate", "--dry-run"], where)).stdout).toMatch(
      /^The schema is up to date: version \d+\.$/m,
    );
  }
});
