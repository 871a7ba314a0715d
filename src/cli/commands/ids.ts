import type { CapstanClient } from "../../client/index.ts";
import { choice } from "../../config/schemas.ts";
import { LIMITS } from "../../contract/limits.ts";
import type { IdKind } from "../../core/ids.ts";
import { WORK_STATES } from "../../core/transitions.ts";
import { connect } from "../connection.ts";
import { oneLine } from "../output/printable.ts";
import { command } from "../spec.ts";
import { CALL_EXITS, connectToQueue } from "./shared.ts";

const KINDS = ["session", "environment", "agent", "work", "token"] as const satisfies readonly IdKind[];
type Kind = (typeof KINDS)[number];

/** Somebody has pressed a key and waits: an answer that takes longer is none. */
const CALL = { timeoutMs: 2_000, maxRetries: 0 } as const;
const LIMIT = LIMITS.page.max;

export const ids = command({
  path: "ids",
  summary: "Print ids and what they name, one per line, for shells and scripts",
  details: `Prints the newest hundred things of a kind, a line each: the id, a tab, and what a person knows it by. Of work items it prints
those that live. Shells complete ids with it. The ids of tokens are for an admin only.`,
  group: "queue",
  calls: ["listSessions", "listEnvironments", "listAgents", "listWork", "listTokens"],
  roles: ["admin", "client"],
  rolesNote: "of tokens: admin",
  arguments: {
    kind: { usage: "<kind>", summary: `Of what: ${KINDS.join(", ")}.`, schema: choice(KINDS) },
  },
  examples: [{ command: "capstan ids session | fzf | cut -f 1", does: "Choose a session" }],
  exits: CALL_EXITS,
  async run({ settings, arguments: { kind }, io }) {
    const { client } = connect(settings);
    const environmentId = kind === "work" ? (await connectToQueue(settings)).environmentId : "";
    const rows = await LISTS[kind](client, environmentId);
    for (const [id, name] of rows) io.out.write(`${id}\t${oneLine(name)}\n`);
    return "ok";
  },
});

type Row = readonly [id: string, name: string];

const LISTS: Readonly<Record<Kind, (client: CapstanClient, environmentId: string) => Promise<Row[]>>> = {
  session: async (client) =>
    (await client.listSessions({ limit: LIMIT }, CALL)).data.map(({ id, title, status }) => [
      id,
      title === null ? status : `${title} (${status})`,
    ]),
  environment: async (client) =>
    (await client.listEnvironments({ limit: LIMIT }, CALL)).data.map(({ id, name }) => [id, name]),
  agent: async (client) => (await client.listAgents({ limit: LIMIT }, CALL)).data.map(({ id, name }) => [id, name]),
  token: async (client) =>
    (await client.listTokens({ limit: LIMIT }, CALL)).data.map(({ id, name, role }) => [id, `${name} (${role})`]),
  work: async (client, environmentId) => {
    const states = WORK_STATES.filter((state) => state !== "stopped");
    const input = { environment_id: environmentId, limit: LIMIT };
    const lists = await Promise.all(states.map((state) => client.listWork({ ...input, state }, CALL)));
    return lists.flatMap(({ data }) => data.map(({ id, state, data: { id: session } }) => [id, `${state} ${session}`]));
  },
};
