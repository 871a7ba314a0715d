import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CapstanClient } from "../../client/index.ts";
import { TTL_SECONDS } from "../../core/lease.ts";
import { type Child, type Children, SERVER } from "./children.ts";
import type { Job } from "./plan.ts";
import type { Assignment } from "./summarise.ts";

const AGENT = fileURLToPath(new URL("./summarise.js", import.meta.url));
const START_MS = 20_000;
/** How long a command may take to stop; what it does between two files takes far less. */
const GRACE_SECONDS = 2;
/** Sessions that a worker runs at once. */
const CONCURRENCY = 4;

/** A server with an environment, and what is needed to start workers for it. */
export interface Stage {
  readonly url: string;
  readonly client: CapstanClient;
  readonly environmentId: string;
  readonly workspaceRoot: string;
  startWorker(name: string): Child;
  startSession(job: Job): Promise<string>;
}

/** Starts a server on a free port with an empty data folder, as an operator would. */
export async function setStage(children: Children, folder: string): Promise<Stage> {
  const adminToken = randomBytes(32).toString("hex");
  const server = children.start(SERVER, ["serve", "--port", "0", "--log-level", "error", "--drain-ms", "1000"], {
    CAPSTAN_DATA_DIR: join(folder, "data"),
    CAPSTAN_ADMIN_TOKEN: adminToken,
  });
  const [, url = ""] = await server.find(/listens on (\S+)/, START_MS);
  const client = new CapstanClient({ baseUrl: url, token: adminToken });
  const { id: environmentId } = await client.createEnvironment({
    name: "demo",
    config: { type: "self_hosted", queue: { start_seconds: 5 } },
  });
  const { token } = await client.createToken({ name: "demo", role: "worker", environment_id: environmentId });
  const workspaceRoot = join(folder, "workspaces");
  return {
    ...{ url, client, environmentId, workspaceRoot },
    startWorker: (name) =>
      children.start(
        `worker ${name}`,
        ["worker", "--concurrency", String(CONCURRENCY), "--output", "jsonl", "--", process.execPath, AGENT],
        {
          CAPSTAN_URL: url,
          CAPSTAN_TOKEN: token,
          CAPSTAN_ENVIRONMENT_ID: environmentId,
          CAPSTAN_WORKER_ID: name,
          CAPSTAN_WORKSPACE_ROOT: workspaceRoot,
          // The shortest lease there is, because a demo should not have to wait for the end of a longer one.
          CAPSTAN_TTL_SECONDS: String(TTL_SECONDS.min),
          CAPSTAN_GRACE_SECONDS: String(GRACE_SECONDS),
          CAPSTAN_DATA_DIR: folder,
        },
      ),
    async startSession(job) {
      const session = await client.createSession({
        environment_id: environmentId,
        title: `Summarise ${job.name}`,
        initial_events: [assignmentOf(job)],
      });
      return session.id;
    },
  };
}

function assignmentOf({ folder, files, pauseMs }: Job) {
  const assignment: Assignment = { folder, files, pause_ms: pauseMs };
  const text = `Summarise ${files.length} source files in ${folder}.`;
  return { type: "user.message", content: [{ type: "text", text }], ...assignment };
}
