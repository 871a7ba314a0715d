import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";
import { CapstanClient } from "../../src/client/index.ts";
import { ensureBuilt, ROOT } from "./build.ts";
import { eventually } from "./eventually.ts";

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A started `capstan` process. It and everything that it started is gone when its owner's test or suite has ended. */
export interface CliProcess {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<CliResult>;
  /** Waits for a text on either stream; gives the match. */
  find(pattern: RegExp): Promise<RegExpExecArray>;
}

export interface CliOptions {
  /** Variables besides the few that every process needs; those of the machine do not reach the process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

export function startCli(words: readonly string[], { env = {}, cwd, input }: CliOptions = {}): CliProcess {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [join(ROOT, "dist", "cli", "main.js"), ...words], {
    cwd: cwd ?? ROOT,
    env: { PATH, HOME, CAPSTAN_DATA_DIR: "/nonexistent/capstan", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  child.stdin.end(input ?? "");
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const find = (pattern: RegExp) =>
    eventually(() => {
      const match = pattern.exec(`${stdout}\n${stderr}`);
      if (match !== null) return match;
      throw new Error(`${pattern} is not in the output of capstan ${words.join(" ")}:\n${stdout}\n${stderr}`);
    });
  return { child, stdout: () => stdout, stderr: () => stderr, ended, find };
}

export const runCli = (words: readonly string[], options?: CliOptions): Promise<CliResult> =>
  startCli(words, options).ended;

/** Starts a process for the length of one test. */
export function startForTest(words: readonly string[], options?: CliOptions): CliProcess {
  const started = startCli(words, options);
  onTestFinished(async () => {
    started.child.kill("SIGKILL");
    await started.ended;
  });
  return started;
}

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "capstan-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A folder for the length of one test. */
export function folderForTest(): string {
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

export interface TestServer {
  readonly url: string;
  readonly token: string;
  /** For what a test needs and does not look at. */
  readonly client: CapstanClient;
  /** Variables with which every command finds this server. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<CliResult>;
}

/** A real server in a process of its own, on a free port and an empty data folder. */
export async function startTestServer(): Promise<TestServer> {
  const folder = temporaryFolder();
  const server = startCli(["serve", "--port", "0", "--log-level", "warn", "--drain-ms", "1000"], {
    env: { CAPSTAN_DATA_DIR: folder.path },
  });
  const [, url = ""] = await server.find(/listens on (\S+)/);
  const [, token = ""] = await server.find(/Admin token.*: (\S+)/);
  return {
    url,
    token,
    client: new CapstanClient({ baseUrl: url, token }),
    env: { CAPSTAN_URL: url, CAPSTAN_TOKEN: token },
    async stop() {
      server.child.kill("SIGTERM");
      const result = await server.ended;
      folder.remove();
      return result;
    },
  };
}

/** The one server that all tests of a file share, for as long as the file has tests to run. */
export async function serverOfThisFile(): Promise<TestServer> {
  await ensureBuilt();
  const server = await startTestServer();
  afterAll(() => server.stop());
  return server;
}
