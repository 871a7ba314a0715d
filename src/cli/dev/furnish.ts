import { ApiError, CapstanClient } from "../../client/index.ts";
import { LIMITS } from "../../contract/limits.ts";
import type { DevFile } from "./file.ts";

const ENVIRONMENT_NAME = "default";
const WORKER_TOKEN_NAME = "worker of capstan dev";

/** Finds or makes what a first session needs: an environment with a queue, and a token for its worker. */
export async function furnish(url: string, adminToken: string, remembered: DevFile | undefined): Promise<DevFile> {
  const client = new CapstanClient({ baseUrl: url, token: adminToken });
  const environmentId = await findOrMakeEnvironment(client, remembered?.environment_id);
  const known = remembered?.environment_id === environmentId ? remembered.worker_token : undefined;
  const usable = known !== undefined && (await isAccepted(url, known, environmentId));
  const workerToken = usable ? known : await makeWorkerToken(client, environmentId);
  return { url, admin_token: adminToken, environment_id: environmentId, worker_token: workerToken };
}

async function findOrMakeEnvironment(client: CapstanClient, remembered: string | undefined): Promise<string> {
  if (remembered !== undefined) {
    const found = await client.getEnvironment({ environment_id: remembered }).catch(ignoreStatus(404));
    if (found?.archived_at === null) return found.id;
  }
  const { data } = await client.listEnvironments({ limit: LIMITS.page.max });
  const named = data.find(({ name, config }) => name === ENVIRONMENT_NAME && config.type === "self_hosted");
  if (named !== undefined) return named.id;
  const made = await client.createEnvironment({ name: ENVIRONMENT_NAME, config: { type: "self_hosted" } });
  return made.id;
}

async function isAccepted(url: string, token: string, environmentId: string): Promise<boolean> {
  const client = new CapstanClient({ baseUrl: url, token });
  const found = await client.getEnvironment({ environment_id: environmentId }).catch(ignoreStatus(401, 403));
  return found !== undefined;
}

async function makeWorkerToken(client: CapstanClient, environmentId: string): Promise<string> {
  const made = await client.createToken({ name: WORKER_TOKEN_NAME, role: "worker", environment_id: environmentId });
  return made.token;
}

const ignoreStatus =
  (...statuses: readonly number[]) =>
  (error: unknown): undefined => {
    if (!(error instanceof ApiError && statuses.includes(error.status))) throw error;
  };
