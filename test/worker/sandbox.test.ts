import { execFile, execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Confinement, confine } from "../../src/worker/sandbox/index.ts";
import { probeProtections } from "../../src/worker/sandbox/protections.ts";

interface Ran {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const protections = new Map((await probeProtections()).map(({ name, inForce }) => [name, inForce]));

function folder(): { root: string; workspace: string; other: string } {
  const root = mkdtempSync(join(tmpdir(), "capstan-sandbox-"));
  const workspace = join(root, "mine");
  const other = join(root, "other");
  mkdirSync(workspace);
  mkdirSync(other);
  writeFileSync(join(other, "secret.txt"), "not for you");
  return { root, workspace, other };
}

/** @param prefix what the confined command is started by */
function run(
  script: string,
  confinement: Confinement,
  workspace: string,
  env = {},
  prefix: readonly string[] = [],
): Promise<Ran> {
  const confined = confine(
    { command: ["sh", "-c", script], env: { PATH: process.env.PATH, ...env } },
    confinement,
    workspace,
  );
  const [program, ...args] = [...prefix, ...confined.command];
  return new Promise((resolve) => {
    const options = { cwd: workspace, env: confined.env as NodeJS.ProcessEnv, timeout: 15_000 };
    execFile(program as string, args, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr }),
    );
  });
}

describe.skipIf(protections.get("sandbox") !== true)(
  "a command in bubblewrap (skipped where bwrap does not run)",
  () => {
    test("writes into its workspace and into a /tmp of its own", async () => {
      const { workspace } = folder();
      const marker = `capstan-${process.pid}-marker`;
      const ran = await run(
        `echo hello > file; echo t > /tmp/${marker}; cat file /tmp/${marker}`,
        { sandbox: "bwrap" },
        workspace,
      );
      expect(ran).toMatchObject({ code: 0, stdout: "hello\nt\n" });
      expect(readFileSync(join(workspace, "file"), "utf8")).toBe("hello\n");
      expect(existsSync(`/tmp/${marker}`)).toBe(false);
    });

    test("does not see the workspace of another session, also not through a symbolic link", async () => {
      const { workspace, other } = folder();
      const ran = await run(
        `ln -s ${other} way; ls ${other} way/ 2>&1; cat way/secret.txt`,
        { sandbox: "bwrap" },
        workspace,
      );
      expect(ran.code).not.toBe(0);
      expect(ran.stdout + ran.stderr).not.toContain("not for you");
      expect(ran.stdout).not.toContain("secret.txt");
    });

    test("cannot change the system", async () => {
      const { workspace } = folder();
      const ran = await run("touch /usr/bin/planted", { sandbox: "bwrap" }, workspace);
      expect(ran.code).not.toBe(0);
      expect(existsSync("/usr/bin/planted")).toBe(false);
    });

    test("sees neither the password hashes nor what lies in the home folder of the worker's user", async () => {
      const { workspace } = folder();
      const secret = join(mkdtempSync(join(homedir(), ".capstan-test-")), "key");
      writeFileSync(secret, "not for you");
      const ran = await run(`cat ${secret} /etc/shadow`, { sandbox: "bwrap" }, workspace);
      rmSync(dirname(secret), { recursive: true });
      expect(ran.stdout).toBe("");
      expect(ran.code).not.toBe(0);
    });

    test("keeps only the variables that say how to run, and the session's own", async () => {
      const { workspace } = folder();
      const env = { AWS_SECRET_ACCESS_KEY: "s", CAPSTAN_SESSION_ID: "sess_1", LC_ALL: "C" };
      const { stdout } = await run("env", { sandbox: "bwrap" }, workspace, env);
      expect(stdout).toContain("CAPSTAN_SESSION_ID=sess_1");
      expect(stdout).toContain(`HOME=${workspace}`);
      expect(stdout).not.toContain("AWS_SECRET_ACCESS_KEY");
    });

    test("has no network unless it is allowed", async () => {
      const { workspace } = folder();
      const count = "ls /sys/class/net 2>/dev/null; tail -n +3 /proc/net/dev | wc -l";
      const alone = await run(count, { sandbox: "bwrap" }, workspace);
      const shared = await run(count, { sandbox: "bwrap", network: true }, workspace);
      const here = execFileSync("sh", ["-c", "tail -n +3 /proc/net/dev | wc -l"]).toString().trim();
      expect(alone.stdout.trim()).toBe("1");
      expect(shared.stdout.trim()).toBe(here);
    });

    test("reads a further folder when it was allowed to, and does not write there", async () => {
      const { workspace, other } = folder();
      const confinement = { sandbox: "bwrap", readable: [other] } as const;
      const ran = await run(`cat ${other}/secret.txt; touch ${other}/x`, confinement, workspace);
      expect(ran.stdout).toBe("not for you");
      expect(ran.code).not.toBe(0);
      expect(existsSync(join(other, "x"))).toBe(false);
    });

    test("sees no process but its own", async () => {
      const { workspace } = folder();
      const ran = await run("ls /proc | grep -c '^[0-9]'", { sandbox: "bwrap" }, workspace);
      expect(Number(ran.stdout)).toBeLessThan(8);
    });
  },
);

describe.skipIf(protections.get("memory") !== true)("resource limits (skipped where prlimit does not run)", () => {
  for (const sandbox of protections.get("sandbox") ? (["none", "bwrap"] as const) : (["none"] as const)) {
    test(`a command that takes too much memory fails, with sandbox ${sandbox}`, async () => {
      const { workspace } = folder();
      const script = `${process.execPath} -e 'const a=[]; for (let i=0;i<40;i++) a.push(Buffer.alloc(16<<20,1)); console.log("got it")'`;
      expect((await run(script, { sandbox }, workspace)).stdout).toBe("got it\n");
      const limited = await run(script, { sandbox, memoryMb: 400 }, workspace);
      expect(limited.stdout).not.toContain("got it");
      expect(limited.code).not.toBe(0);
    });

    test(`a command that computes for ever is ended by the kernel, with sandbox ${sandbox}`, async () => {
      const { workspace } = folder();
      const limited = await run("while :; do :; done", { sandbox, cpuSeconds: 1 }, workspace);
      expect(limited.code).not.toBe(0);
    });
  }
});

/** The kernel counts no processes of root: there, the command is another user's. */
const USER = 61_234;
const isRoot = process.getuid?.() === 0;
const AS_USER = isRoot ? ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"] : [];
const succeeds = ([program = "", ...args]: readonly string[]) => spawnSync(program, args).status === 0;
const canCount = protections.get("memory") && succeeds([...AS_USER, "true"]);
/** The sandbox shows Node to its command, which that user may not reach. */
const canSandbox = protections.get("sandbox") && succeeds([...AS_USER, "test", "-x", process.execPath]);

describe.skipIf(!canCount)("a limit of processes (skipped where prlimit or setpriv does not run)", () => {
  test.each(canSandbox ? (["none", "bwrap"] as const) : (["none"] as const))(
    "holds for all that the command starts, with sandbox %s",
    async (sandbox) => {
      const { root, workspace } = folder();
      if (isRoot) {
        chmodSync(root, 0o755);
        chownSync(workspace, USER, USER);
      }
      const script = "for i in $(seq 1 80); do sleep 2 > /dev/null 2>&1 & done; echo all of them";
      expect((await run(script, { sandbox }, workspace, {}, AS_USER)).stdout).toBe("all of them\n");
      const limited = await run(script, { sandbox, processes: 40 }, workspace, {}, AS_USER);
      expect(limited.stdout).toBe("");
      expect(limited.code).not.toBe(0);
    },
  );
});

test("without a sandbox and limits the command is started as it is", () => {
  const plain = { command: ["agent", "--fast"], env: { A: "1" } };
  expect(confine(plain, {}, "/w")).toEqual(plain);
});

test("no variable stands in the arguments of the sandbox, where every user could read it", () => {
  const { command } = confine(
    { command: ["agent"], env: { CAPSTAN_WORK_TOKEN: "s3cret" } },
    { sandbox: "bwrap" },
    "/w",
  );
  expect(command.join(" ")).not.toContain("s3cret");
});
