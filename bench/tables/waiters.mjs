import { count, short, spread, table } from "./markdown.mjs";

export const waitersTable = ({ rows }) =>
  [
    table(
      [
        "Parked polls",
        "Pick-up p50, ms",
        "p99, ms",
        "p99.9, ms",
        "From the create's answer, p50 / p99",
        "Wakes per item",
      ],
      rows.map(({ waiters, from_create_sent_ms: sent, from_create_answered_ms: answered, wakes_per_item }) => [
        count(waiters),
        spread(sent.p50, short),
        spread(sent.p99, short),
        short(sent["p99.9"]),
        `${short(answered.p50.median)} / ${short(answered.p99.median)}`,
        wakes_per_item,
      ]),
    ),
    table(
      ["Parked polls", "kB per waiter", "Resident memory, MB", "Idle CPU, % of a core", "Idle store calls/s"],
      rows.map(({ waiters, kb_per_waiter, rss_mb, idle }) => [
        count(waiters),
        kb_per_waiter === null ? "–" : short(kb_per_waiter),
        count(rss_mb.fleet),
        short(idle.cpu_share * 100),
        Object.entries(idle.store_calls_per_second)
          .map(([label, rate]) => `${label.split('"')[1]} ${rate}`)
          .join(", ") || "none",
      ]),
    ),
  ].join("\n\n");
