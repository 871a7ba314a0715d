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

/** Versions share the agent's id, so the cursors of this list are versions. They have no gaps. */
const listAgentVersions: Handler<"listAgentVersions"> = async ({ path, query, services: { store } }) => {
  const agent = await store.getAgent(path.agent_id);
  if (agent === undefined) return noSuchAgent(path.agent_id);
  const { limit = LIMITS.page.default, page, after_id = page ?? null, before_id } = query;
  const below = before_id === undefined ? after_id : before_id + limit + 1;
  const found = await store.listAgentVersions(path.agent_id, below, limit + 1);
  const data = found.filter(({ version }) => version > (before_id ?? 0)).slice(0, limit);
  const newest = data[0]?.version ?? agent.version;
  const hasMore = before_id === undefined ? found.length > limit : newest < agent.version;
  return done(
    presentPage(
      { data, hasMore },
      (version) => presentAgent({ ...version, archivedAt: agent.archivedAt }),
      ({ version }) => String(version),
    ),
  );
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
