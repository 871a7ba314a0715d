import { count, short, spread, table } from "./markdown.mjs";

export const streamTable = (result) =>
  [
    table(
      ["What", "Figure"],
      [
        ["Events accepted, per second", spread(result.events_per_second, count)],
        ["Events delivered, per second", spread(result.deliveries_per_second, count)],
        ["From the instant an event was due to a reader, p50", `${spread(result.from_due_ms.p50, short)} ms`],
        ["p99", `${spread(result.from_due_ms.p99, short)} ms`],
        ["p99.9", `${spread(result.from_due_ms["p99.9"], short)} ms`],
        [
          "From the answer that the event is durable to a reader, p99",
          `${spread(result.from_answer_ms.p99, short)} ms`,
        ],
        ["CPU per event, with all of its deliveries", `${spread(result.server_cpu_ms_per_event, short)} ms`],
        ["Server, share of its core", spread(result.server_cpu_share, short)],
        [
          "Resident memory, early and late in the run",
          `${count(result.memory_mb.early)} and ${count(result.memory_mb.late)} MB`,
        ],
      ],
    ),
    table(
      ["p50 in ms", `${count(result.history.short)} events`, `${count(result.history.long)} events`, "Ratio"],
      [
        ["First page of 100", "first_page"],
        ["Last page of 100", "last_page"],
        ["50 events before the end", "page_before_the_end"],
        ["Resume a stream 50 events before the end", "resume"],
      ].map(([what, key]) => {
        const { short_ms: few, long_ms: many, ratio } = result.history[key];
        return [what, short(few.p50), short(many.p50), ratio];
      }),
    ),
    audit(result.audit),
  ].join("\n\n");

const audit = ({ readers, deliveries, lost, repeated, disconnected }) =>
  `Audit: ${count(readers)} readers got ${count(deliveries)} events, lost ${lost}, repeated ${repeated}, disconnected ${disconnected}.`;
