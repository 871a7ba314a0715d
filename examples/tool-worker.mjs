/**
 * The hands of an agent whose model runs elsewhere: it answers every `agent.tool_use` of a session with the tools bash,
 * read, write, edit, glob and grep, held to the session's own folder. Whoever runs the model sends, with an admin token,
 *
 *   {"type": "agent.tool_use", "name": "bash", "input": {"command": "ls -la"}}
 *
 * and reads the `user.tool_result` that follows. CAPSTAN_SANDBOX=bwrap holds what bash runs to the folder, too.
 */
import { answerToolUses, createTools, createWorker } from "capstan/worker";

const confinement = { sandbox: process.env.CAPSTAN_SANDBOX ?? "none", cpuSeconds: 600 };

const worker = createWorker({
  baseUrl: process.env.CAPSTAN_URL,
  token: process.env.CAPSTAN_TOKEN,
  environmentId: process.env.CAPSTAN_ENVIRONMENT_ID,
  async handler(context) {
    const { workspace, signal } = context;
    await answerToolUses(context, createTools({ workspace, signal, confinement }));
  },
});
process.once("SIGTERM", () => worker.drain());
const refused = await worker.run().catch((error) => error.message);
if (refused) console.error(refused);
process.exitCode = refused ? 1 : 0;
