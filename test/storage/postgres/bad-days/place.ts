/** One PostgreSQL for many bad days, each with a database of its own. */
import pg from "pg";
import { PostgresServer } from "../../../support/postgres-server.ts";
import { TcpProxy } from "../../../support/tcp-proxy.ts";

/** A user who owns nothing but what the servers make. */
const APP = "app";

export interface Place {
  readonly server: PostgresServer;
  /** An operator's connection, which is made anew for each day. */
  readonly admin: pg.Client;
  /** The day's own database, as its owner and as the operator. */
  readonly appUrl: string;
  readonly url: string;
  /** A line to the database that can go dead. */
  line(): Promise<{ readonly proxy: TcpProxy; readonly url: string }>;
}

export async function connected(to: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: to });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Starts the server on which the days take place. */
export async function startServer(): Promise<PostgresServer> {
  const server = await PostgresServer.start();
  const operator = await connected(server.url());
  await operator.query(`CREATE ROLE ${APP} LOGIN PASSWORD '${new URL(server.url()).password}'`);
  await operator.end();
  return server;
}

/** Gives a day its place, and clears up behind it. */
export async function inPlace<T>(server: PostgresServer, name: string, day: (place: Place) => Promise<T>): Promise<T> {
  const admin = await connected(server.url());
  await admin.query(`CREATE DATABASE ${name} OWNER ${APP}`);
  const url = server.url(name);
  const appUrl = new URL(url);
  appUrl.username = APP;
  const proxies: TcpProxy[] = [];
  const line = async () => {
    const proxy = await TcpProxy.start(appUrl.hostname, Number(appUrl.port));
    proxies.push(proxy);
    const through = new URL(appUrl);
    through.host = `127.0.0.1:${proxy.port}`;
    return { proxy, url: through.href };
  };
  try {
    return await day({ server, admin, url, appUrl: appUrl.href, line });
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await admin.end();
  }
}
