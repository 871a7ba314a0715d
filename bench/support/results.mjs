import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { circumstances, ROOT } from "./machine.mjs";

const folder = `${ROOT}bench/results/`;

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
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.json`, `${JSON.stringify(whole, undefined, 2)}\n`);
  console.log(`Written: bench/results/${name}.json`);
}

/** A result that was kept, or `undefined`. */
export function keptResult(name) {
  try {
    return JSON.parse(readFileSync(`${folder}${name}.json`, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}
