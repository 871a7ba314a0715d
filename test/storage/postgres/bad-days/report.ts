/**
 * `npm run bad-days [-- --write]`: has every bad day once, prints what came of it as Markdown, and with `--write` puts that
 * into docs/reports/postgres-bad-days.md. Ends with 1 when a rule was broken.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt, ROOT } from "../../../support/build.ts";
import type { PostgresServer } from "../../../support/postgres-server.ts";
import type { DayReport } from "./day.ts";
import { BAD_DAYS } from "./days.ts";
import { connected, inPlace, startServer } from "./place.ts";
import { type Turnover, turnOverWithForgottenTransaction } from "./turnover.ts";

const FILE = join(ROOT, "docs", "reports", "postgres-bad-days.md");
const PLACE = /(<!-- generated -->\n).*?(<!-- end -->)/s;
const TURNOVER_ITEMS = 100_000;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const count = (value: number): string => Math.round(value).toLocaleString("en-US");
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

async function days(server: PostgresServer): Promise<Map<string, DayReport>> {
  const reports = new Map<string, DayReport>();
  for (const [index, { name, run }] of BAD_DAYS.entries()) {
    const report = await inPlace(server, `day_${index}`, run);
    reports.set(name, report);
    const broken = report.violations.length + report.wrong.length;
    say(`${name}: back after ${seconds(report.recoveryMs)} s, ${broken} rules broken`);
    for (const problem of [...report.violations, ...report.wrong]) say(JSON.stringify(problem));
  }
  return reports;
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(1);

function table(reports: ReadonlyMap<string, DayReport>): string {
  const head = [
    "What happens",
    "How",
    "Answered 200",
    "503",
    "No answer",
    "Items",
    "Rules broken",
    "False answers",
    "Back after, s",
  ];
  const rows = BAD_DAYS.map(({ name, story }) => {
    const { statuses, answered, items, violations, wrong, recoveryMs } = reports.get(name) as DayReport;
    const [away, lost] = [statuses["503"] ?? 0, statuses["0"] ?? 0];
    const counts = [answered, away, lost, items].map(count);
    return row([name, story, ...counts, violations.length, wrong.length, seconds(recoveryMs)]);
  });
  const rule = head.map((_, index) => (index < 2 ? "---" : "--:"));
  return [row(head), row(rule), ...rows].join("\n");
}

const turnedOver = ({ items, entriesPerClaim, claimMs, seconds: took }: Turnover): string =>
  `A transaction that read the queue and was then forgotten stayed open while ${count(items)} items went through it, in ${count(took)} s. Not one dead entry could be cleared away. At the end a claim read ${count(entriesPerClaim)} index entries, and took ${claimMs.after.toFixed(1)} ms at the median; before, it took ${claimMs.before.toFixed(1)} ms.`;

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
await ensureBuilt();
const server = await startServer();
try {
  const reports = await days(server);
  const turnover = await inPlace(server, "turnover", ({ url }) =>
    turnOverWithForgottenTransaction(url, TURNOVER_ITEMS),
  );
  const client = await connected(server.url());
  const { rows } = await client.query<{ server_version: string }>("SHOW server_version");
  await client.end();
  const where = `Node ${process.version}, Linux ${release()}, ${cpus().length} CPUs, PostgreSQL ${rows[0]?.server_version}, ${new Date().toISOString().slice(0, 10)}`;
  const text = `${table(reports)}\n\n${turnedOver(turnover)}\n\n<sub>${where}.</sub>\n`;
  process.stdout.write(text);
  if (values.write) {
    const page = readFileSync(FILE, "utf8");
    writeFileSync(
      FILE,
      page.replace(PLACE, (_, begin, end) => `${begin}${text}${end}`),
    );
  }
  const broken = [...reports.values()].some(({ violations, wrong }) => violations.length + wrong.length > 0);
  process.exitCode = broken ? 1 : 0;
} finally {
  await server.stop();
}
