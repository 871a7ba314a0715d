import { open } from "node:fs/promises";
import type { SettingsFor } from "../../config/resolve.ts";
import { someText } from "../../config/schemas.ts";
import { StoreRefused } from "../../storage/store.ts";
import type { Counts, StoreArchive } from "../../storage/transfer.ts";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { command } from "../spec.ts";

const WHERE = `With --database-url (CAPSTAN_DATABASE_URL) that is a PostgreSQL database, else the embedded one in --data-dir.`;

export const migrateStore = command({
  path: "migrate",
  summary: "Bring the schema of the store up to date, or say what that would take",
  details: `Brings the schema of the store up to date, as every start of a server does by itself. ${WHERE}
A migration that is marked as breaking makes servers of an older version end their service: stop those first.`,
  group: "store",
  options: {
    dryRun: { kind: "switch", flags: "--dry-run", summary: "Only say what there is to do." },
  },
  examples: [
    { command: "capstan migrate --dry-run", does: "What a new version would change" },
    { command: "capstan migrate", does: "Before the servers of a new version are started" },
  ],
  async run({ settings, options, io }) {
    const { upgradeStore } = await import("../../storage/upgrade.ts");
    const { current, pending } = await explaining(() => upgradeStore(settings, options.dryRun));
    for (const { version, name, breaking } of pending) {
      io.out.write(
        `${options.dryRun ? "would apply" : "applied"} ${version} ${name}${breaking && current > 0 ? " (breaking)" : ""}\n`,
      );
    }
    if (pending.length === 0) io.out.write(`The schema is up to date: version ${current}.\n`);
    return "ok";
  },
});

const fileArgument = (summary: string) =>
  ({ usage: "<file>", summary, schema: someText("the path of a file") }) as const;

export const exportStore = command({
  path: "export",
  summary: "Write everything in the store into a file",
  details: `Writes everything in the store into a new file, as lines of JSON, which import reads. ${WHERE}
The embedded database must not be in use; a PostgreSQL database may, and the file holds what was there at the beginning.
The file holds the key of the Work-Tokens as it is, the hashes of all other tokens, and all that users have sent: keep it as secret
as the database. It is always a file, which is made for its owner alone, and never standard output.`,
  group: "store",
  arguments: { file: fileArgument("The file to make.") },
  examples: [{ command: "capstan export capstan.jsonl", does: "Before moving to PostgreSQL" }],
  async run({ settings, arguments: { file }, io }) {
    refuseDash(file);
    const { exportLines } = await import("../../storage/transfer.ts");
    await withArchive(settings, "existing", async (archive) => {
      const target = await open(file, "wx", 0o600).catch((error) => Promise.reject(fileError(error, file)));
      try {
        for await (const chunk of inChunks(exportLines(archive))) await target.write(chunk);
        await target.sync();
      } finally {
        await target.close();
      }
      tell(io, `Written to ${file}`, await archive.counts());
    });
    return "ok";
  },
});

export const importStore = command({
  path: "import",
  summary: "Read everything that export wrote into an empty store",
  details: `Reads a file that export wrote into a store that holds nothing yet: all of it or, when something is wrong, nothing.
${WHERE} Afterwards both are counted. It is always a file, and never standard input, since it is read more than once.`,
  group: "store",
  arguments: { file: fileArgument("The file that export wrote.") },
  examples: [
    { command: "capstan import capstan.jsonl", does: "Into PostgreSQL, when CAPSTAN_DATABASE_URL names a database" },
  ],
  async run({ settings, arguments: { file }, io }) {
    refuseDash(file);
    const { checkExport, importLines } = await import("../../storage/transfer.ts");
    // Before a store is opened, which makes one where there is none.
    await explaining(() => checkExport(linesOf(file), file));
    await withArchive(settings, "any", async (archive) => {
      const counts = await importLines(linesOf(file), archive);
      tell(io, `Read from ${file}`, counts);
    });
    return "ok";
  },
});

async function withArchive(
  settings: SettingsFor<"store">,
  which: "existing" | "any",
  use: (archive: StoreArchive) => Promise<void>,
): Promise<void> {
  const { dataDir, databaseUrl: url, databaseSchema: schema } = settings;
  await explaining(async () => {
    const archive =
      url === undefined
        ? await (await import("../../storage/sqlite/archive.ts")).openSqliteArchive(dataDir, which)
        : await (await import("../../storage/postgres/archive.ts")).openPostgresArchive({ url, schema });
    try {
      await use(archive);
    } finally {
      await archive.close();
    }
  });
}

/** What a person has to do something about, as a command's error. */
async function explaining<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof StoreRefused ? new CommandError("failed", error.message) : error;
  }
}

function refuseDash(file: string): void {
  if (file !== "-") return;
  const message = "An export is a file, and neither standard output nor standard input: - is none.";
  throw new CommandError("usage", message, "Name a file, such as capstan.jsonl; one that is called - is written ./-");
}

function fileError(error: NodeJS.ErrnoException, file: string): unknown {
  if (error.code === "EEXIST") return new CommandError("usage", `${file} is there already. Name a new file.`);
  if (error.code === undefined) return error;
  return new CommandError("usage", `${file} cannot be opened (${error.code}). Check the path and its permissions.`);
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const source = await open(file).catch((error) => Promise.reject(fileError(error, file)));
  try {
    if (!(await source.stat()).isFile()) throw new CommandError("usage", `${file} is not a file.`);
    yield* source.readLines();
  } finally {
    await source.close();
  }
}

const CHUNK_CHARACTERS = 1_048_576;

async function* inChunks(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let chunk = "";
  for await (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield chunk;
    chunk = "";
  }
  yield chunk;
}

function tell(io: Io, what: string, counts: Counts): void {
  const each = Object.entries(counts).map(([table, count]) => `${table} ${count}`);
  io.out.write(`${what}: ${each.join(", ")}.\n`);
}
