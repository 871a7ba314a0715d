/** `npm run bench -- <scenario>`: measures, prints, and with --keep writes bench/results and the tables in docs. */
import { parseArgs } from "node:util";
import { backlog } from "./scenarios/backlog.mjs";
import { costs } from "./scenarios/costs.mjs";
import { cycle } from "./scenarios/cycle.mjs";
import { start } from "./scenarios/start.mjs";
import { stream } from "./scenarios/stream.mjs";
import { waiters } from "./scenarios/waiters.mjs";
import { writeDocs } from "./support/docs.mjs";
import { report } from "./support/results.mjs";

const SCENARIOS = { cycle, costs, backlog, waiters, stream, start };

const usage = () =>
  [
    "Usage: npm run bench -- <scenario> [--keep] [--dist <folder of another build>] [--server-flags <flags of node>]",
    ...Object.entries(SCENARIOS).map(([name, { summary, options }]) => {
      const flags = Object.entries(options).map(([flag, { default: value }]) => `--${flag} ${value}`);
      return `  ${name.padEnd(8)} ${summary}\n           ${flags.join(" ")}`;
    }),
    "       npm run bench -- docs [--check]",
    "",
  ].join("\n");

// Whatever was started is ended when this process exits, which a signal alone would not be.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

const [name = "", ...words] = process.argv.slice(2);
const scenario = SCENARIOS[name];
if (name === "docs") {
  const { values } = parseArgs({ args: words, options: { check: { type: "boolean", default: false } } });
  if (!writeDocs(values) && values.check) {
    process.stderr.write(
      "docs/benchmarks.md or docs/scaling.md does not show bench/results. Run: npm run bench -- docs\n",
    );
    process.exitCode = 1;
  }
} else if (scenario === undefined) {
  process.stderr.write(usage());
  process.exitCode = 2;
} else {
  const common = {
    keep: { type: "boolean", default: false },
    dist: { type: "string" },
    "server-flags": { type: "string" },
  };
  const { values } = parseArgs({ args: words, options: { ...common, ...scenario.options } });
  report(name, await scenario.run(values), values);
  if (values.keep) writeDocs({ check: false });
}
