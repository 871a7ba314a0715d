import { summary } from "../support/statistics.mjs";

/** Per verb, the median over the repeats of each repeat's percentiles. */
export function verbs(rounds) {
  const names = Object.keys(rounds[0].verbs_ms);
  const median = (verb, key) => summary(rounds.map((result) => result.verbs_ms[verb][key])).median;
  return Object.fromEntries(names.map((verb) => [verb, { p50: median(verb, "p50"), p99: median(verb, "p99") }]));
}
