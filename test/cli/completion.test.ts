import { spawnSync } from "node:child_process";
import { existsSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { places } from "../../src/cli/completion/table.ts";
import { ensureBuilt, ROOT } from "../support/build.ts";
import { folderForTest, runCli, startTestServer, type TestServer } from "../support/cli.ts";

beforeAll(ensureBuilt, 150_000);

type Shell = "bash" | "zsh" | "fish";
const works = (shell: Shell): boolean => spawnSync(shell, ["--version"]).status === 0;

/** How each shell is asked what it would offer, without a terminal; prints a word per line. */
const ASK: Readonly<Record<Shell, { args: string[]; script: (completion: string, words: string[]) => string }>> = {
  bash: {
    args: ["--norc", "--noprofile"],
    script: (completion, words) => `source ${completion}
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
      _capstan; printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  zsh: {
    // Outside of its line editor, zsh has none of the functions with which a completion offers words: these print them.
    args: ["-f"],
    script: (completion, words) => `
      compdef() { : }
      _files() { print -- "(files)" }
      _message() { print -- "(text)" }
      compadd() { shift; print -l -- "$@" }
      _describe() { local name="\${@[-1]}"; print -l -- "\${(@P)name%%:*}" }
      source ${completion}
      words=(${words.map((word) => `'${word}'`).join(" ")}); CURRENT=${words.length}
      _capstan`,
  },
  fish: {
    args: ["--no-config"],
    script: (completion, words) =>
      `source ${completion}; complete -C '${words.join(" ")}' | string split -f 1 \\t; true`,
  },
};

/** What a shell offers for the last of the words. */
async function offered(shell: Shell, ...words: string[]): Promise<string[]> {
  return await offeredWith({}, shell, ...words);
}

async function offeredWith(
  variables: Readonly<Record<string, string>>,
  shell: Shell,
  ...words: string[]
): Promise<string[]> {
  const folder = folderForTest();
  // The scripts ask the program itself for ids.
  symlinkSync(join(ROOT, "dist", "cli", "main.js"), join(folder, "capstan"));
  const printed = await runCli(["completion", shell]);
  expect(printed).toMatchObject({ code: 0, stderr: "" });
  const completion = join(folder, "completion");
  writeFileSync(completion, printed.stdout);
  const file = join(folder, "ask");
  writeFileSync(file, ASK[shell].script(completion, ["capstan", ...words]));
  const { stdout, stderr, status } = spawnSync(shell, [...ASK[shell].args, file], {
    encoding: "utf8",
    cwd: folder,
    env: { PATH: `${folder}:${process.env.PATH}`, HOME: folder, ...variables },
  });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  expect(existsSync(join(folder, "planted"))).toBe(false);
  const last = words.at(-1) ?? "";
  const all = stdout.split("\n").filter((word) => word !== "");
  return shell === "zsh" ? all.filter((word) => word.startsWith(last)) : all;
}

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
}, 150_000);
afterAll(async () => void (await server.stop()));

/** A server with a thing of each kind, whose names no shell may take for its own language. */
const furnished = once(async () => {
  const { client, env } = server;
  const name = 'it\'s: a $(touch planted) `touch planted` "name"';
  const { id: environment } = await client.createEnvironment({ name, config: { type: "self_hosted" } });
  const { id: session } = await client.createSession({ environment_id: environment, title: name });
  const { id: agent } = await client.createAgent({ name, model: "m" });
  return { env, session, agent, environment };
});

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

// A shell that this machine does not have cannot be asked; the table behind all three scripts is tested below.
describe.each((["bash", "zsh", "fish"] as const).filter(works))("%s completes", (shell) => {
  test("commands, and the commands of a topic", async () => {
    expect((await offered(shell, "se")).sort()).toEqual(["serve", "session"]);
    expect(await offered(shell, "session", "wa")).toEqual(["watch"]);
    expect(await offered(shell, "worker", "att")).toEqual(["attach"]);
  });

  test("options, its own and those that come from settings, also behind arguments", async () => {
    expect(await offered(shell, "session", "send", "sess_1", "text", "--fo")).toEqual(["--follow"]);
    expect(await offered(shell, "serve", "--stream-k")).toEqual(["--stream-keep-alive-ms"]);
    expect(await offered(shell, "session", "list", "--json", "--limit", "5", "--inc")).toEqual(["--include-archived"]);
  });

  test("values, where there are a few to choose from", async () => {
    const statuses = ["idle", "rescheduling", "running", "terminated"];
    expect((await offered(shell, "session", "list", "--status", "")).sort()).toEqual(statuses);
    expect(await offered(shell, "serve", "--log-level", "wa")).toEqual(["warn"]);
    expect((await offered(shell, "completion", "")).filter((word) => !word.startsWith("-")).sort()).toEqual([
      ...["bash", "fish", "zsh"],
    ]);
  });

  test("ids of what there is, where one is to be typed, and none when the server cannot be asked", async () => {
    const { env, session, agent, environment } = await furnished();
    const at = (...words: string[]) => offeredWith(env, shell, ...words);
    expect(await at("session", "watch", "sess_")).toEqual([session]);
    expect(await at("session", "send", "--follow", "sess_")).toEqual([session]);
    expect(await at("session", "send", session, "sess_")).toEqual([]);
    expect(await at("run", "--agent", "ag")).toEqual([agent]);
    expect(await at("session", "create", "--environment", "")).toEqual([environment]);
    const away = { ...env, CAPSTAN_URL: "http://127.0.0.1:1" };
    expect(await offeredWith(away, shell, "session", "watch", "sess_")).toEqual([]);
  });

  test("no option where a value is to be typed", async () => {
    const words = await offered(shell, "session", "create", "--title", "");
    expect(words.filter((word) => word.startsWith("-") || word === "create")).toEqual([]);
  });
});

test("every command and every option of the table can be completed", () => {
  const known = new Map(places().map((place) => [place.path.join(" "), place]));
  for (const { path, options } of COMMANDS) {
    const words = path.split(" ");
    const above = known.get(words.slice(0, -1).join(" "));
    expect(
      above?.words.map(({ word }) => word),
      path,
    ).toContain(words.at(-1));
    const flags = known.get(path)?.options.map(({ flag }) => flag) ?? [];
    for (const option of Object.values(options ?? {})) expect(flags, path).toContain(option.flags.split(" ")[0]);
    expect(flags).toContain("--help");
    expect(new Set(flags).size, path).toBe(flags.length);
  }
});

test("another shell is refused, with those that there are", async () => {
  const { code, stderr } = await runCli(["completion", "tcsh"]);
  expect(code).toBe(2);
  expect(stderr).toContain('<shell> must be bash, zsh or fish, not "tcsh"');
});
