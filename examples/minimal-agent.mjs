import { createWorker, textOf } from "capstan/worker";

const worker = createWorker({
  baseUrl: process.env.CAPSTAN_URL,
  token: process.env.CAPSTAN_TOKEN,
  environmentId: process.env.CAPSTAN_ENVIRONMENT_ID,
  async handler({ input, say }) {
    for await (const event of input) await say(`You said: ${textOf(event)}`);
  },
});
process.once("SIGTERM", () => worker.drain());
const refused = await worker.run().catch((error) => error.message);
if (refused) console.error(refused);
process.exitCode = refused ? 1 : 0;
