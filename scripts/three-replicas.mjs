/**
 * `npm run three-replicas`: PostgreSQL from npm, three `capstan serve` over it, an entrance that goes round them, and a
 * worker; Ctrl-C stops all of it, and its data are gone then. For trying what happens when a replica dies; for nothing else.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CapstanClient } from "../dist/client/index.js";
import "../test/support/typescript.mjs";
import { startEntrance } from "./three-replicas/entrance.mjs";

const { PostgresServer } = await import("../test/support/postgres-server.ts");

const REPLICAS = 3;
const DEFAULT_PORT = 8787;
const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

const { values } = parseArgs({ options: { port: { type: "string", default: String(DEFAULT_PORT) } } });
const token = `cpt_${randomBytes(32).toString("base64url")}`;

/** What runs, the newest first: it is stopped in this order. */
const running = [];
const stopped = (async () => {
  const signal = await new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"]) process.once(name, resolve);
  });
  process.stdout.write(`\n${signal}: stopping\n`);
})();

/** A program in a process group of its own, so that Ctrl-C reaches this script alone, which knows the order. */
function start(words, env) {
  const child = spawn(process.execPath, words, {
    env: { PATH: process.env.PATH, ...env },
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = () => {
    child.kill("SIGTERM");
    return ended;
  };
  running.unshift({ stop });
  return child;
}

/** Resolves with the address that the server tells. */
function listening(child) {
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`capstan serve ended with code ${code}.`)));
    child.stdout.setEncoding("utf8").on("data", (text) => {
      const address = /listens on (\S+)/.exec(text)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
}

async function startAll() {
  const postgres = await PostgresServer.start({ ownGroup: true });
  running.unshift(postgres);
  const env = { CAPSTAN_DATABASE_URL: postgres.url(), CAPSTAN_ADMIN_TOKEN: token, CAPSTAN_LOG_LEVEL: "warn" };
  const replicas = [];
  for (let index = 0; index < REPLICAS; index++) {
    const child = start([path("dist/cli/main.js"), "serve", "--port", "0"], env);
    replicas.push({ pid: child.pid, url: await listening(child) });
  }
  const entrance = await startEntrance(
    replicas.map(({ url }) => new URL(url)),
    Number(values.port),
  );
  running.unshift(entrance);
  const client = new CapstanClient({ baseUrl: entrance.url, token });
  const environment = await client.createEnvironment({ name: "default", config: { type: "self_hosted" } });
  const worker = { CAPSTAN_URL: entrance.url, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: environment.id };
  start([path("examples/minimal-agent.mjs")], worker).stdout.pipe(process.stdout);
  return { postgres, replicas, url: entrance.url };
}

function welcome({ postgres, replicas, url }) {
  const line = `CAPSTAN_URL=${url} CAPSTAN_TOKEN=${token} npx capstan run "Say hello"`;
  return [
    "Three replicas are ready.",
    "",
    `entrance   ${url}`,
    ...replicas.map((replica, index) => `replica ${index + 1}  ${replica.url}  (kill -9 ${replica.pid})`),
    `database   ${postgres.url().replace(/:[^:@]+@/, "@")}  (without its password: the replicas have it)`,
    "",
    "Try it in another terminal, also after the death of a replica or two:",
    `  ${line}`,
    "",
    "Ctrl-C stops all of it and throws the data away.",
    "",
  ].join("\n");
}

const ready = startAll().then((all) => process.stdout.write(welcome(all)));
try {
  await Promise.race([ready.then(() => stopped), stopped]);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  // What is still being started is stopped when it is there.
  await ready.catch(() => undefined);
  for (const one of running) await one.stop();
}
