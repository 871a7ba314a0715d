import { someText, wholeNumber } from "../../config/schemas.ts";
import { LIMITS } from "../../contract/limits.ts";
import { connect, findEnvironment } from "../connection.ts";
import { CommandError } from "../exit-codes.ts";
import { renderFields } from "../output/table.ts";
import { relativeTime } from "../output/time.ts";
import { tokenTable } from "../output/views.ts";
import { command } from "../spec.ts";
import { aboutOne } from "./about-one.ts";
import { CALL_EXITS, fetchList, JSON_OPTION, listOptions, roleChoice, showList, showOne } from "./shared.ts";

export const createToken = command({
  path: "token create",
  summary: "Make a token; its secret is shown once, now",
  details: `Makes a token and prints its secret, which the server does not keep.

Roles: admin may do everything; client works with sessions and looks at queues; worker serves the queue of one environment.`,
  group: "queue",
  calls: ["createToken"],
  arguments: { name: { usage: "<name>", summary: "What it is for.", schema: someText("a name") } },
  options: {
    ...JSON_OPTION,
    role: {
      kind: "value",
      flags: "--role <role>",
      summary: "admin, client or worker. Default client.",
      schema: roleChoice,
      default: "client",
    },
    expires: {
      kind: "value",
      flags: "--expires-in-seconds <seconds>",
      summary: "When it ends. Left out: never.",
      schema: wholeNumber(1, LIMITS.tokenLifetimeSeconds),
    },
  },
  examples: [
    { command: "capstan token create build-1 --role worker --environment env_…", does: "For a worker" },
    { command: "capstan token create ci --expires-in-seconds 3600", does: "For an hour" },
  ],
  exits: CALL_EXITS,
  async run({ settings, sources, options, arguments: { name }, io }) {
    const { role, expires } = options;
    if (role !== "worker" && sources.environment === "flag") {
      throw new CommandError("usage", `--environment goes with --role worker, not with --role ${role}.`);
    }
    const { client, connection } = connect(settings);
    const environmentId = role === "worker" ? await findEnvironment(settings, client, connection) : undefined;
    const created = await client.createToken({
      name,
      role,
      environment_id: environmentId,
      expires_in_seconds: expires,
    });
    return showOne(io, options, created, () =>
      renderFields(io.out, [
        ["id", created.id],
        ["name", created.name],
        ["role", created.role],
        ["environment", created.environment_id ?? "–"],
        ["ends", created.expires_at === null ? "never" : relativeTime(created.expires_at, io.now())],
        ["token", created.token],
      ]),
    );
  },
});

export const listTokens = command({
  path: "token list",
  summary: "List tokens, newest first, without their secrets",
  group: "client",
  calls: ["listTokens"],
  options: listOptions("token"),
  examples: [{ command: "capstan token list", does: "Who may do what, and who was here when" }],
  exits: CALL_EXITS,
  async run({ settings, options, io }) {
    const { client } = connect(settings);
    const list = await fetchList(options, (page) => client.listTokens(page));
    return showList(io, options, list, tokenTable, "There is no token.");
  },
});

export const revokeToken = aboutOne({
  path: "token revoke",
  summary: "Revoke a token: from now on it is refused",
  kind: "token",
  argument: "Its id, not its secret.",
  call: "revokeToken",
  example: { command: "capstan token revoke tok_…", does: "No way back" },
  view: (_io, { id }: { readonly id: string }) => `Revoked ${id}.\n`,
  run: (client, token_id) => client.revokeToken({ token_id }),
});
