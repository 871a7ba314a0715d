import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { CORES, PINNED } from "./process.mjs";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const git = (...words) => spawnSync("git", words, { cwd: ROOT, encoding: "utf8" }).stdout.trim();
/** Before the run: on an idle machine it is near 0, and the more above that, the less the absolute figures mean. */
const LOAD_BEFORE = Math.round(loadavg()[0] * 10) / 10;

const packageVersion = (name) => JSON.parse(readFileSync(`${ROOT}node_modules/${name}/package.json`, "utf8")).version;

/** Where and with what a result was taken: a figure without these says nothing. */
export function circumstances() {
  const [cpu] = cpus();
  const changed = git("status", "--porcelain", "--", "src", "migrations", "bench", ":!bench/results") !== "";
  return {
    taken_at: new Date().toISOString(),
    commit: git("rev-parse", "--short=12", "HEAD") + (changed ? " with local changes" : ""),
    machine: {
      cpu: cpu.model,
      cores: cpus().length,
      memory_gb: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
      load_average_before: LOAD_BEFORE,
      pinned: PINNED ? `server on core ${CORES.server}, load generator on core ${CORES.load}` : "not pinned",
    },
    versions: {
      node: process.versions.node,
      fastify: packageVersion("fastify"),
      sqlite: Number(process.versions.node.split(".")[0]) >= 24 ? "node:sqlite" : sqlitePackage(),
    },
  };
}

const sqlitePackage = () => `@photostructure/sqlite ${packageVersion("@photostructure/sqlite")}`;
