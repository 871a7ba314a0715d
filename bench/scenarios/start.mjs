/** What a server costs before it does anything: time to ready, memory, bytes on disk. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ROOT } from "../support/machine.mjs";
import { residentBytes } from "../support/process.mjs";
import { startCapstan } from "../support/servers.mjs";
import { round, summary } from "../support/statistics.mjs";

const IDLE_MS = 3_000;

export const start = {
  summary: "cold start to ready, idle memory, size on disk",
  options: { repeats: { type: "string", default: "10" } },
  async run(options) {
    const { repeats } = options;
    const fresh = [];
    const again = [];
    for (let repeat = 0; repeat < Number(repeats); repeat++) {
      const dataDir = mkdtempSync(join(tmpdir(), "capstan-bench-data-"));
      fresh.push(await startOnce({ ...options, dataDir }));
      again.push(await startOnce({ ...options, dataDir }));
      rmSync(dataDir, { recursive: true });
    }
    const result = {
      repeats: Number(repeats),
      ready_ms: { new_database: of(fresh, "readyMs"), existing_database: of(again, "readyMs") },
      idle_rss_mb: of([...fresh, ...again], "rssMb"),
      install: installSize(),
    };
    console.log(JSON.stringify(result));
    return result;
  },
};

const of = (runs, key) => summary(runs.map((run) => run[key]));

/** From the start of the process to the first 200 of `/readyz`. */
async function startOnce(options) {
  const startedAt = performance.now();
  const server = await startCapstan(options);
  const ready = await fetch(`${server.url}/readyz`);
  const readyMs = performance.now() - startedAt;
  if (!ready.ok) throw new Error(`/readyz answered ${ready.status}`);
  await delay(IDLE_MS);
  const rssMb = residentBytes(server.pid) / 2 ** 20;
  await server.stop();
  return { readyMs, rssMb };
}

/** Bytes of files, as an install of the package without development dependencies would hold them. */
function installSize() {
  const [packed] = JSON.parse(npm("pack", "--dry-run", "--json", "--ignore-scripts"));
  const folders = npm("ls", "--omit=dev", "--all", "--parseable").trim().split("\n").slice(1);
  const dependencies = folders.reduce((sum, folder) => sum + bytesBelow(folder), 0);
  const mb = (bytes) => round(bytes / 2 ** 20);
  return {
    package_mb: mb(packed.unpackedSize),
    download_mb: mb(packed.size),
    dependencies: folders.length,
    dependencies_mb: mb(dependencies),
    total_mb: mb(packed.unpackedSize + dependencies),
  };
}

const npm = (...words) =>
  execFileSync("npm", words, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

/** Without packages nested inside, which `npm ls` names by themselves. */
function bytesBelow(folder) {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    bytes += entry.isDirectory() ? bytesBelow(path) : statSync(path).size;
  }
  return bytes;
}
