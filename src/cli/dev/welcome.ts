import { BASE_PATH } from "../../contract/operations.ts";
import { userMessage } from "../commands/shared.ts";
import type { Io } from "../io.ts";
import { paint } from "../output/colour.ts";
import { renderFields } from "../output/table.ts";
import type { DevFile } from "./file.ts";
import { workerVariables } from "./own-worker.ts";

/** How the worker is told of. */
export interface RunningWorker {
  readonly title: string;
  readonly text: string;
  /** None was started: a person has to do that. */
  readonly isMissing?: true;
}

/** What `capstan dev` says when all of it runs: where things are, and lines to paste. */
export function welcome(io: Io, file: DevFile, dataDir: string | undefined, worker: RunningWorker): string {
  const { url, admin_token: token, environment_id: environmentId } = file;
  const flag = dataDir === undefined ? "" : ` --data-dir ${quoted(dataDir)}`;
  const body = JSON.stringify({ environment_id: environmentId, initial_events: [userMessage("Say hello")] });
  const curl = `curl ${url}${BASE_PATH}/sessions -H 'Authorization: Bearer ${token}' -d ${quoted(body)}`;
  const fields = renderFields(io.out, [
    ["server", url],
    ["API", `${url}${BASE_PATH}`],
    ["description", `${url}/openapi.json`],
    ["environment", environmentId],
    [worker.title, worker.text],
    ["admin token", token],
  ]);
  return `Capstan is ready.

${fields}${worker.isMissing ? exportLine(file) : ""}
Try it in another terminal:
  ${paint(io.out, "bold", `npx capstan run${flag} "Say hello"`)}
  ${curl}

Ctrl-C stops it; the next start goes on with the same data.
`;
}

/** For a terminal of its own: with the worker's token, the other commands could do little. */
function exportLine(file: DevFile): string {
  const pairs = Object.entries(workerVariables(file)).map(([name, value]) => `${name}=${value}`);
  return `
Start a worker in a terminal of its own, after this line:
  export ${pairs.join(" ")}
`;
}

const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
