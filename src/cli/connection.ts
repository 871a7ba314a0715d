import { CapstanClient } from "../client/index.ts";
import type { SettingsFor } from "../config/resolve.ts";
import { isId } from "../core/ids.ts";
import { type DevFile, devFilePath, readDevFile } from "./dev/file.ts";
import { CommandError } from "./exit-codes.ts";

export const DEFAULT_URL = "http://127.0.0.1:8787";

type ClientSettings = SettingsFor<"client">;

export interface Connection {
  readonly url: string;
  readonly token: string | undefined;
  /** Set when the server is the one that `capstan dev` started from this data folder. */
  readonly dev: DevFile | undefined;
}

/** Which server, and with what token. The token of `capstan dev` goes to its own server and to no other. */
export function findConnection(settings: ClientSettings): Connection {
  const dev = readDevFile(settings.dataDir);
  const url = settings.url ?? dev?.url ?? DEFAULT_URL;
  const own = dev?.url === url ? dev : undefined;
  return { url, token: settings.token ?? own?.admin_token, dev: own };
}

/** @throws CommandError when there is no token to go by. */
export function connect(settings: ClientSettings): { client: CapstanClient; connection: Connection } {
  const connection = findConnection(settings);
  const { url, token } = connection;
  if (token === undefined) throw noToken(url, settings);
  return { client: new CapstanClient({ baseUrl: url, token }), connection };
}

export const noToken = (url: string, { dataDir }: Pick<ClientSettings, "dataDir">): CommandError =>
  new CommandError(
    "unauthenticated",
    `There is no token for ${url}: CAPSTAN_TOKEN is not set, and ${devFilePath(dataDir)} has none for it.`,
    "Set CAPSTAN_TOKEN to a token of that server, or start one here with `capstan dev`.",
  );

/**
 * The environment to work in: the one that was named, else that of `capstan dev`, else the only one that has a queue.
 *
 * @throws CommandError when it is not clear which one is meant.
 */
export async function findEnvironment(
  settings: SettingsFor<"queue">,
  client: CapstanClient,
  connection: Connection,
): Promise<string> {
  const named = settings.environment ?? connection.dev?.environment_id;
  if (named !== undefined) return checkedEnvironment(named);
  const { data } = await client.listEnvironments({ limit: 100 });
  const queues = data.filter((environment) => environment.config.type === "self_hosted");
  const [only, ...others] = queues;
  if (only !== undefined && others.length === 0) return only.id;
  const message = only === undefined ? "There is no self_hosted environment." : "There are several environments.";
  const hint =
    only === undefined
      ? "Make one: capstan env create <name>"
      : `Name one with --environment (CAPSTAN_ENVIRONMENT_ID): ${queues.map(({ id, name }) => `${id} (${name})`).join(", ")}`;
  throw new CommandError("usage", message, hint);
}

export function checkedEnvironment(id: string): string {
  if (isId("environment", id)) return id;
  throw new CommandError(
    "usage",
    `--environment (CAPSTAN_ENVIRONMENT_ID) must be an id such as env_ followed by 32 hex digits, not ${JSON.stringify(id)}.`,
    "`capstan env list` shows the environments and their ids.",
  );
}
