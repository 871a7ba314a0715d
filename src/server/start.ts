import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { LIMITS } from "../contract/limits.ts";
import { type Store, StoreRefused } from "../storage/store.ts";
import { VERSION } from "../version.ts";
import { createApp } from "./app.ts";
import { CallsUnderWay } from "./calls-under-way.ts";
import { Connections } from "./connections.ts";
import { EventHub } from "./event-hub.ts";
import { createLogs, type Logger } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { openStoreOf } from "./open-store.ts";
import { SERVER_LIMITS, type ServerLimits, type ServerOptions } from "./options.ts";
import { addProbes } from "./probes.ts";
import { StoreCalls } from "./store-calls.ts";
import { Sweeper } from "./sweeper.ts";
import { Authenticator, hashSecret, newSecret } from "./tokens.ts";
import { WaitingRoom } from "./waiting-room.ts";
import { WORK_TOKEN_KEY, WorkTokens } from "./work-tokens.ts";

/** How often a stop looks whether all answers are through. */
const SENT_CHECK_MS = 10;

export interface RunningServer {
  /** Where it listens, without a path, such as `http://127.0.0.1:8787`. */
  readonly url: string;
  /** The first admin token, when this start made it; it is not kept anywhere. */
  readonly adminToken: string | undefined;
  /** Drains: every waiting poll is answered, requests under way finish, what they wrote is durable. */
  stop(): Promise<void>;
}

/**
 * Starts a server in this process.
 *
 * @param options see {@link ServerOptions}
 * @param openStore for tests that bring their own store or clock
 * @throws StoreRefused when the data folder or the database cannot be used
 * @throws Error with `code` `EADDRINUSE` or `EACCES` when the port cannot be listened on
 */
export async function startServer(
  options: ServerOptions,
  openStore: () => Promise<Store> = () => openStoreOf(options),
): Promise<RunningServer> {
  const { min, max } = LIMITS.adminTokenCharacters;
  const { length = min } = options.adminToken ?? {};
  if (length < min || length > max) throw new StoreRefused(`The admin token must have ${min} to ${max} characters.`);
  const limits = limitsOf(options);
  const logs = createLogs(options.logLevel ?? "info");
  const { log } = logs;
  const calls = new StoreCalls();
  const store = calls.of(await openStore());
  const workTokens = new WorkTokens(await workTokenKey(store));
  const tokens = new Authenticator(store, workTokens, options.adminToken);
  const events = new EventHub({ store, limits, log, stillAllowed: (principal) => tokens.stillValid(principal) });
  const waitingRoom = new WaitingRoom(store, limits.maxWaiters, (principal) => tokens.isStillTrusted(principal));
  const metrics = new Metrics(store, calls, waitingRoom, events);
  const sweeper = new Sweeper(store, tokens, metrics, log, limits);
  const underWay = new CallsUnderWay();
  let draining = false;
  const app = createApp({
    services: { store, tokens, workTokens, waitingRoom, events },
    metrics,
    logs,
    limits,
    underWay,
    draining: () => draining,
  });
  const connections = new Connections(app.server);
  addProbes(app, { store, metrics, version: VERSION, metricsToken: options.metricsToken, draining: () => draining });

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    draining = true;
    stopping ??= shutDown(
      { app, underWay, connections, waitingRoom, events, sweeper, tokens, store, log },
      limits.drainMs,
    );
    return stopping;
  };
  try {
    await app.listen({ host: options.host ?? "127.0.0.1", port: options.port ?? 8787 });
    const adminToken = options.adminToken === undefined ? await firstAdminToken(store) : undefined;
    sweeper.start();
    const url = urlOf(app);
    log.info({ url, store: store.kind, version: VERSION }, "listening");
    return { url, adminToken, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What is opened and cannot be used has to be closed: its connections and locks would outlive the failed start. */
async function workTokenKey(store: Store): Promise<string> {
  try {
    return await store.secret(WORK_TOKEN_KEY);
  } catch (error) {
    await store.close().catch(() => undefined);
    throw error;
  }
}

function limitsOf(options: ServerOptions): ServerLimits {
  const given = Object.entries(SERVER_LIMITS).map(([name, value]) => [
    name,
    options[name as keyof ServerLimits] ?? value,
  ]);
  return Object.fromEntries(given) as ServerLimits;
}

/** On a store that no admin can use yet, makes the first admin token. */
async function firstAdminToken(store: Store): Promise<string | undefined> {
  if (await store.hasAdminToken()) return undefined;
  const secret = newSecret();
  const made = await store.execute("createToken", {
    name: "first admin",
    role: "admin",
    environmentId: null,
    hash: hashSecret(secret),
    expiresInSeconds: null,
  });
  if (made.refused) throw new Error(made.refused.message);
  return secret;
}

interface Parts {
  readonly app: FastifyInstance;
  readonly underWay: CallsUnderWay;
  readonly connections: Connections;
  readonly waitingRoom: WaitingRoom;
  readonly events: EventHub;
  readonly sweeper: Sweeper;
  readonly tokens: Authenticator;
  readonly store: Store;
  readonly log: Logger;
}

/** While calls are under way, whoever comes is told to go elsewhere; then nobody is listened to any more. */
async function shutDown(
  { app, underWay, connections, waitingRoom, events, sweeper, tokens, store, log }: Parts,
  drainMs: number,
): Promise<void> {
  const { listening } = app.server;
  waitingRoom.close();
  events.close();
  const overdue = delay(drainMs, undefined, { ref: false });
  await Promise.race([underWay.none().then(() => sent(connections)), overdue]);
  const closed = app.close();
  connections.closeUnused();
  overdue.then(() => app.server.closeAllConnections());
  await closed;
  await sweeper.stop();
  try {
    await tokens.flushUses();
  } catch (error) {
    log.warn({ err: error }, "the last uses of tokens were not written down");
  }
  try {
    await store.close();
  } catch (error) {
    log.warn({ err: error }, "the database was not closed in order; what was answered is in it all the same");
  }
  if (listening) log.info("stopped");
  log.flush();
}

/** Resolves once nothing of any answer is left to send. There is no event that says so for all of them. */
async function sent(connections: Connections): Promise<void> {
  while (connections.sending) await delay(SENT_CHECK_MS);
}

function urlOf(app: FastifyInstance): string {
  const address = app.server.address() as AddressInfo;
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
