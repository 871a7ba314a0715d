import { acceptAgentFields, acceptPage } from "../../contract/accept.ts";
import { LIMITS } from "../../contract/limits.ts";
import { presentAgent, presentPage } from "../../contract/present.ts";
import { noSuchAgent } from "../../core/commands/command.ts";
import { done, refuse } from "../../core/faults.ts";
import { answer, type Handler } from "./handler.ts";

const createAgent: Handler<"createAgent"> = async ({ body, services: { store } }) => {
  const { metadata, ...fields } = body;
  const outcome = await store.execute("createAgent", { fields: acceptAgentFields(fields), metadata: metadata ?? {} });
  return answer(outcome, presentAgent);
};

const listAgents: Handler<"listAgents"> = async ({ query, services: { store } }) => {
  const filter = { includeArchived: query.include_archived ?? false };
  return done(presentPage(await store.listAgents(acceptPage(query, "descending"), filter), presentAgent));
};

const getAgent: Handler<"getAgent"> = async ({ path, query, services: { store } }) => {
  const agent = await store.getAgent(path.agent_id);
  if (agent === undefined) return noSuchAgent(path.agent_id);
  if (query.version === undefined || query.version === agent.version) return done(presentAgent(agent));
  const [older] = await store.listAgentVersions(path.agent_id, query.version + 1, 1);
  if (older?.version !== query.version) {
    return refuse("not_found", `Agent ${path.agent_id} has no version ${query.version}.`);
  }
  return done(presentAgent({ ...older, archivedAt: agent.archivedAt }));
};

const updateAgent: Handler<"updateAgent"> = async ({ path, body, services: { store } }) => {
  const { version, metadata, ...fields } = body;
  const input = { agentId: path.agent_id, version, fields: acceptAgentFields(fields), metadata };
  return answer(await store.execute("updateAgent", input), presentAgent);
};

const archiveAgent: Handler<"archiveAgent"> = async ({ path, services: { store } }) =>
  answer(await store.execute("archiveAgent", { agentId: path.agent_id }), presentAgent);

const deleteAgent: Handler<"deleteAgent"> = async ({ path, services: { store } }) => {
  const outcome = await store.execute("deleteAgent", { agentId: path.agent_id });
  return answer(outcome, (id) => ({ id, type: "agent_deleted" as const }));
};

/** Versions share the agent's id, so the cursor of this list is the version. */
const listAgentVersions: Handler<"listAgentVersions"> = async ({ path, query, services: { store } }) => {
  const agent = await store.getAgent(path.agent_id);
  if (agent === undefined) return noSuchAgent(path.agent_id);
  const limit = query.limit ?? LIMITS.page.default;
  const versions = await store.listAgentVersions(path.agent_id, query.page ?? null, limit + 1);
  const data = versions.slice(0, limit);
  const hasMore = versions.length > limit;
  const page = presentPage({ data, hasMore }, (version) => presentAgent({ ...version, archivedAt: agent.archivedAt }));
  return done({ ...page, next_page: hasMore ? String(data.at(-1)?.version) : null });
};

export const agentHandlers = {
  createAgent,
  listAgents,
  getAgent,
  updateAgent,
  archiveAgent,
  deleteAgent,
  listAgentVersions,
};
