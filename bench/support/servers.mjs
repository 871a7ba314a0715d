/** The two servers that are compared: ours as it is installed, and the bare framework. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "./machine.mjs";
import { CORES, endProcess, startNode } from "./process.mjs";

const BARE = fileURLToPath(new URL("../servers/bare.mjs", import.meta.url));
const API = "/api/v1/cloud";

/**
 * Starts the built server with its default settings on a data folder of its own. Its log goes to a file, one line per
 * request, as it would under a service manager.
 *
 * @param options as the command line names them; `dist`: another build than this checkout's; `server-flags`: flags of
 *   Node, such as `--cpu-prof --cpu-prof-dir=profiles`; `databaseUrl`: a PostgreSQL instead of the data folder, and then
 *   `adminToken`, which its servers share; `core`: where it runs, `null` for anywhere
 */
export async function startCapstan(options) {
  const { dist = `${ROOT}dist`, "server-flags": flags, dataDir, databaseUrl, core = CORES.server } = options;
  const folder = mkdtempSync(join(tmpdir(), "capstan-bench-"));
  const adminToken = options.adminToken ?? newToken();
  const nodeFlags = flags === undefined ? [] : flags.split(" ");
  const words = [
    ...nodeFlags,
    join(dist, "cli/main.js"),
    "serve",
    "--port",
    "0",
    "--data-dir",
    dataDir ?? join(folder, "data"),
  ];
  const log = openSync(join(folder, "server.log"), "w");
  const database = databaseUrl === undefined ? {} : { CAPSTAN_DATABASE_URL: databaseUrl };
  const child = startNode(core, words, {
    stdio: ["ignore", "pipe", log],
    env: { ...process.env, CAPSTAN_ADMIN_TOKEN: adminToken, ...database },
  });
  const url = await announcedUrl(child);
  const stop = async () => {
    await endProcess(child);
    rmSync(folder, { recursive: true, force: true });
  };
  return { name: "capstan", url, pid: child.pid, adminToken, stop };
}

export const newToken = () => `cpt_${randomBytes(32).toString("base64url")}`;

/** Starts the bare framework. */
export async function startBare() {
  const child = startNode(CORES.server, [BARE], { stdio: ["ignore", "pipe", "inherit"] });
  const url = await announcedUrl(child);
  return { name: "bare", url, pid: child.pid, stop: () => endProcess(child) };
}

/** The URL in the first line that a server prints. */
function announcedUrl(child) {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("exit", (code) => reject(new Error(`A server of the benchmark ended with code ${code}. See its log.`)));
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
      const match = /http:\/\/\S+/.exec(text);
      if (match !== null && text.includes("\n")) resolve(match[0]);
    });
  });
}

/** An environment with a worker token, and a client token that creates sessions in it. */
export async function prepareQueue(server) {
  const environment = await call(server, "POST", "/environments", {
    name: "bench",
    config: { type: "self_hosted" },
  });
  const worker = await call(server, "POST", "/tokens", {
    name: "bench worker",
    role: "worker",
    environment_id: environment.id,
  });
  const client = await call(server, "POST", "/tokens", { name: "bench client", role: "client" });
  return { environmentId: environment.id, workerToken: worker.token, clientToken: client.token };
}

async function call(server, method, path, body) {
  const response = await fetch(server.url + API + path, {
    method,
    headers: { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.error?.message}`);
  return answer;
}

/** The series of a metric: labels as the server writes them → value. */
export async function metrics(server, name) {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const series = {};
  for (const line of text.split("\n")) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] === name) series[match[2] ?? ""] = Number(match[3]);
  }
  return series;
}
