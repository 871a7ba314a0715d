/** For tests of clients and workers: a real server that is gone afterwards. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CapstanClient } from "./client/index.ts";
import type { CreatedToken, Environment } from "./contract/shapes.ts";
import { startServer } from "./server/start.ts";

export interface TemporaryServer {
  /** Where it listens, such as `http://127.0.0.1:41873`. */
  readonly url: string;
  readonly adminToken: string;
  /** A client with the admin token. */
  readonly client: CapstanClient;
  /** A `self_hosted` environment. */
  readonly environment: Environment;
  /** A token of role `worker` for that environment. */
  readonly workerToken: string;
  /** Ends the server and deletes its data. */
  stop(): Promise<void>;
}

export interface TemporaryServerOptions {
  /** `config.queue` of the environment, such as `{ start_seconds: 1 }` to see a lapse soon. */
  readonly queue?: { readonly max_attempts?: number; readonly drain_seconds?: number; readonly start_seconds?: number };
}

/**
 * Starts a server on a free port of the loopback, with an embedded database in a temporary folder, an environment and a
 * token for workers. The real one: leases last as long as they do in production.
 */
export async function startTemporaryServer({ queue = {} }: TemporaryServerOptions = {}): Promise<TemporaryServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "capstan-temporary-"));
  const removeData = () => rm(dataDir, { recursive: true, force: true });
  try {
    const server = await startServer({ dataDir, port: 0, logLevel: "silent", drainMs: 1_000 });
    const adminToken = server.adminToken as string;
    const client = new CapstanClient({ baseUrl: server.url, token: adminToken });
    const config = { type: "self_hosted", queue: { ...queue } } as const;
    const environment = await client.createEnvironment({ name: "test", config });
    const bound = { name: "test worker", role: "worker", environment_id: environment.id } as const;
    const { token: workerToken }: CreatedToken = await client.createToken(bound);
    const stop = () => server.stop().then(removeData);
    return { url: server.url, adminToken, client, environment, workerToken, stop };
  } catch (error) {
    await removeData();
    throw error;
  }
}
