/**
 * The ceiling: Fastify with nothing but routes. The same requests, answered with JSON of the same size from memory;
 * no tokens, no checks, no log, no database.
 */
import Fastify from "fastify";

const API = "/api/v1/cloud";
const ITEM = `${API}/environments/:environment_id/work/:work_id`;
const TIME = "2026-07-01T08:16:06.120394Z";
const ID = "019f0000000070008000000000000000";

const session = {
  id: `sess_${ID}`,
  type: "session",
  agent: null,
  environment_id: `env_${ID}`,
  title: null,
  status: "running",
  metadata: {},
  resources: [],
  vault_ids: [],
  stats: { active_seconds: 0, duration_seconds: 0 },
  usage: {},
  archived_at: null,
  created_at: TIME,
  updated_at: TIME,
};

const work = {
  id: `work_${ID}`,
  type: "work",
  environment_id: `env_${ID}`,
  data: { type: "session", id: `sess_${ID}` },
  state: "active",
  created_at: TIME,
  acknowledged_at: TIME,
  started_at: TIME,
  latest_heartbeat_at: TIME,
  stop_requested_at: null,
  stopped_at: null,
  metadata: {},
};

const heartbeat = {
  type: "work_heartbeat",
  last_heartbeat: TIME,
  lease_extended: true,
  state: "active",
  ttl_seconds: 60,
};

const app = Fastify();
app.post(`${API}/sessions`, async () => session);
app.get(`${API}/environments/:environment_id/work/poll`, async () => work);
app.post(`${ITEM}/ack`, async () => work);
app.post(`${ITEM}/heartbeat`, async () => heartbeat);
app.post(`${ITEM}/stop`, async () => work);

process.on("SIGTERM", () => process.exit(0));
console.log(await app.listen({ host: "127.0.0.1", port: 0 }));
