import { count, short, table } from "./markdown.mjs";

/** Heartbeats per second of a thousand running turns: one each third of the default TTL of 60 s. */
const BEATS_PER_SECOND = 50;

export function costsTable({ replicas, rows }) {
  const head = [
    `${replicas === 1 ? "One server" : `${replicas} servers`}, workers at once`,
    "Statements per cycle",
    "WAL bytes per cycle",
    "Statements per heartbeat",
    "WAL bytes per heartbeat",
    "A thousand running turns, WAL bytes/s",
  ];
  return table(
    head,
    rows.map(({ workers, cycle, heartbeat }) => [
      workers,
      short(cycle.statements),
      count(cycle.wal_bytes),
      short(heartbeat.statements),
      count(heartbeat.wal_bytes),
      count(heartbeat.wal_bytes * BEATS_PER_SECOND),
    ]),
  );
}
