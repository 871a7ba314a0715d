import { TTL_SECONDS } from "../core/lease.ts";
import { LOG_LEVELS } from "../server/options.ts";
import { DATABASE_SETTINGS } from "./database.ts";
import { HAND_OFF_SETTINGS } from "./hand-off.ts";
import { LIMIT_SETTINGS } from "./limits.ts";
import { SANDBOX_SETTINGS } from "./sandbox.ts";
import { adminToken, bearerToken, choice, hostName, serverUrl, someText, wholeNumber, workerName } from "./schemas.ts";
import type { Setting } from "./setting.ts";

const setting = <const T extends Setting>(definition: T) => definition;

/** Every setting of every command. The keys are the names under which commands receive the values. */
export const SETTINGS = {
  host: setting({
    flag: "--host",
    variable: "CAPSTAN_HOST",
    placeholder: "<host>",
    default: "127.0.0.1",
    schema: hostName,
    summary: "Address that the server listens on.",
    groups: ["serve", "dev"],
  }),
  port: setting({
    flag: "--port",
    variable: "CAPSTAN_PORT",
    placeholder: "<port>",
    default: "8787",
    schema: wholeNumber(0, 65_535),
    summary: "Port that the server listens on; 0 takes a free one.",
    groups: ["serve", "dev"],
  }),
  dataDir: setting({
    flag: "--data-dir",
    variable: "CAPSTAN_DATA_DIR",
    placeholder: "<folder>",
    default: "./.capstan",
    schema: someText("the path of a folder"),
    summary: "Folder of the embedded database and of what `capstan dev` remembers.",
    groups: ["serve", "dev", "worker", "attach", "client", "queue", "store"],
  }),
  ...DATABASE_SETTINGS,
  adminToken: setting({
    variable: "CAPSTAN_ADMIN_TOKEN",
    placeholder: "<token>",
    schema: adminToken,
    summary:
      "Admin token that the server accepts from its start on; left out, the first start makes one and prints it.",
    groups: ["serve", "dev"],
    secret: true,
  }),
  logLevel: setting({
    flag: "--log-level",
    variable: "CAPSTAN_LOG_LEVEL",
    placeholder: "<level>",
    default: "info",
    schema: choice(LOG_LEVELS),
    summary: "Least severe log lines that the server writes; `capstan dev` begins with warn.",
    groups: ["serve", "dev"],
  }),
  metricsToken: setting({
    variable: "CAPSTAN_METRICS_TOKEN",
    placeholder: "<token>",
    schema: bearerToken,
    summary: "Bearer token that `/metrics` asks for; left out, everybody who reaches the server may read it.",
    groups: ["serve", "dev"],
    secret: true,
  }),
  ...LIMIT_SETTINGS,
  url: setting({
    flag: "--url",
    variable: "CAPSTAN_URL",
    placeholder: "<url>",
    schema: serverUrl,
    summary: "Server to talk to; left out, the one that `capstan dev` started, else http://127.0.0.1:8787.",
    groups: ["worker", "attach", "client", "queue"],
  }),
  token: setting({
    variable: "CAPSTAN_TOKEN",
    placeholder: "<token>",
    schema: bearerToken,
    summary: "Token to talk to the server with; left out, the one that `capstan dev` made for its own server.",
    groups: ["worker", "client", "queue"],
    secret: true,
  }),
  environment: setting({
    flag: "--environment",
    variable: "CAPSTAN_ENVIRONMENT_ID",
    placeholder: "<id>",
    schema: someText("the id of an environment").meta({ idKind: "environment" }),
    summary:
      "Environment to work in; left out, the one that `capstan dev` made, else (but not for a worker) the only self_hosted one.",
    groups: ["worker", "attach", "queue"],
  }),
  workerId: setting({
    flag: "--worker-id",
    variable: "CAPSTAN_WORKER_ID",
    placeholder: "<name>",
    schema: workerName,
    summary:
      "Name of this worker, unique among those that run at once; left out, made of the host's name and the process.",
    groups: ["worker"],
  }),
  concurrency: setting({
    flag: "--concurrency",
    variable: "CAPSTAN_CONCURRENCY",
    placeholder: "<count>",
    default: "1",
    schema: wholeNumber(1, 1_000),
    summary: "Sessions that the worker runs at once.",
    groups: ["worker", "dev"],
  }),
  workspaceRoot: setting({
    flag: "--workspace-root",
    variable: "CAPSTAN_WORKSPACE_ROOT",
    placeholder: "<folder>",
    schema: someText("the path of a folder"),
    summary: "Folder in which every session gets a folder of its own; left out, `workspaces` in the data folder.",
    groups: ["worker", "attach", "dev"],
  }),
  graceSeconds: setting({
    flag: "--grace-seconds",
    variable: "CAPSTAN_GRACE_SECONDS",
    placeholder: "<seconds>",
    default: "20",
    schema: wholeNumber(0, 86_400),
    summary: "How long a session may go on after it, or its worker, was told to stop.",
    groups: ["worker", "attach", "dev"],
  }),
  ttlSeconds: setting({
    flag: "--ttl-seconds",
    variable: "CAPSTAN_TTL_SECONDS",
    placeholder: "<seconds>",
    default: String(TTL_SECONDS.default),
    schema: wholeNumber(TTL_SECONDS.min, TTL_SECONDS.max),
    summary: "How long a lease lasts without a heartbeat: when the worker dies, another takes over after this time.",
    groups: ["worker", "attach"],
  }),
  output: setting({
    flag: "--output",
    variable: "CAPSTAN_OUTPUT",
    placeholder: "<format>",
    default: "text",
    schema: choice(["text", "jsonl"]),
    summary: "What the worker's command writes: a message per line, or an event as JSON per line.",
    groups: ["worker", "attach", "dev"],
  }),
  ...SANDBOX_SETTINGS,
  ...HAND_OFF_SETTINGS,
} as const;

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];
