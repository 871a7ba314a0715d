import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { circumstances, ROOT } from "./machine.mjs";

const folder = `${ROOT}bench/results/`;
/** What was kept before on other processors, in a folder for each of them: no ratio is the same on all. */
const elsewhere = `${folder}elsewhere/`;

/**
 * Keeps a result, or shows it only: a trial run must not replace figures that the documentation quotes.
 *
 * @param result with `kept_as` where a scenario has several results
 */
export function report(scenario, { kept_as: name = scenario, ...result }, { keep }) {
  const whole = { scenario, ...circumstances(), ...result };
  if (!keep) {
    console.log(JSON.stringify(whole, undefined, 2));
    console.log("Not kept. Run with --keep to write bench/results and the tables in docs.");
    return;
  }
  const before = keptResult(name);
  if (before !== undefined && before.machine.cpu !== whole.machine.cpu) {
    write(`${elsewhere}${folderName(before.machine.cpu)}/`, name, before);
  }
  write(folder, name, whole);
  console.log(`Written: bench/results/${name}.json`);
}

/** A result that was kept, or `undefined`. */
export const keptResult = (name) => read(folder, name);

/** The same that was kept on other processors, the newest first. */
export function keptElsewhere(name) {
  const folders = existsSync(elsewhere) ? readdirSync(elsewhere) : [];
  const here = keptResult(name)?.machine.cpu;
  return folders
    .map((one) => read(`${elsewhere}${one}/`, name))
    .filter((result) => result !== undefined && result.machine.cpu !== here)
    .sort((a, b) => b.taken_at.localeCompare(a.taken_at));
}

const folderName = (cpu) =>
  cpu
    .toLowerCase()
    .match(/[a-z0-9]+/g)
    .join("-");

function write(into, name, result) {
  mkdirSync(into, { recursive: true });
  writeFileSync(`${into}${name}.json`, `${JSON.stringify(result, undefined, 2)}\n`);
}

function read(from, name) {
  try {
    return JSON.parse(readFileSync(`${from}${name}.json`, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}
