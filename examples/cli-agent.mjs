/**
 * A coding CLI as an agent. Each turn's messages are its prompt, and what it prints becomes events of the session:
 *
 *   node examples/cli-agent.mjs claude-code --permission-mode acceptEdits
 *   node examples/cli-agent.mjs codex --sandbox workspace-write
 *
 * Any other program that reads a prompt from its standard input and prints the same lines goes after `--`:
 *
 *   node examples/cli-agent.mjs codex -- ./my-agent.sh
 */
import { CLI_ADAPTERS, createCliHandler, createWorker } from "capstan/worker";

const [name, ...rest] = process.argv.slice(2);
const adapter = CLI_ADAPTERS[name];
if (adapter === undefined) {
  console.error(`Name one of ${Object.keys(CLI_ADAPTERS).join(", ")}.`);
  process.exit(1);
}
const [args, program] = rest.includes("--")
  ? [rest.slice(0, rest.indexOf("--")), rest.slice(rest.indexOf("--") + 1)]
  : [rest, undefined];

const worker = createWorker({
  baseUrl: process.env.CAPSTAN_URL,
  token: process.env.CAPSTAN_TOKEN,
  environmentId: process.env.CAPSTAN_ENVIRONMENT_ID,
  handler: createCliHandler({
    adapter,
    args,
    // Its own login, such as ANTHROPIC_API_KEY, reaches the CLI; the tokens of this worker do not.
    env: process.env,
    command: program && (() => program),
  }),
});
process.once("SIGTERM", () => worker.drain());
const refused = await worker.run().catch((error) => error.message);
if (refused) console.error(refused);
process.exitCode = refused ? 1 : 0;
