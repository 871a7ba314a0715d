import {
  TRANSITIONS,
  type Transition,
  WORK_EVENTS,
  WORK_STATES,
  type WorkEvent,
  type WorkState,
} from "../transitions.ts";
import { EVENT_MEANINGS, REASONS } from "./arrows.ts";

const EVENT_NAMES: Readonly<Record<WorkEvent, string>> = {
  ...(Object.fromEntries(WORK_EVENTS.map((event) => [event, event])) as Record<WorkEvent, WorkEvent>),
  deliver: "deliver (poll)",
  forceStop: "stop with force",
};

const CELLS: Readonly<Partial<Record<Transition, string>>> = {
  unchanged: "unchanged, 200",
  refused: "409",
  never: "–",
};

/** The life of a work item as a page of Markdown: the picture, the table, and the reason for each of its cells. */
export function stateMachineReference(): string {
  return `# The life of a work item

A work item is one turn of a session that a worker has to run. It is always in one of five states, and only the calls and
deadlines below change it. \`src/core/transitions.ts\` holds this table, and \`src/core/decide.ts\` is its only reader that
changes anything.

\`\`\`mermaid
stateDiagram-v2
  [*] --> queued: the session has something to do
${arrows()
  .map(({ from, to, labels }) => `  ${from} --> ${to}: ${labels.join(" · ")}`)
  .join("\n")}
  stopped --> [*]
\`\`\`

| | ${WORK_EVENTS.map((event) => EVENT_NAMES[event]).join(" | ")} |
| ---${" | ---".repeat(WORK_EVENTS.length)} |
${WORK_STATES.map((state) => `| \`${state}\` | ${WORK_EVENTS.map((event) => cell(state, event)).join(" | ")} |`).join("\n")}

A state: the item moves there, or stays and has its stamps renewed. *unchanged*: accepted, and nothing is written. 409:
refused, and nothing is written. –: cannot occur. The table is about the state alone; a call that names a worker or a
heartbeat which is not the item's is refused in every state ([who owns an item](decisions/0006-ownership-and-fencing.md)).

## Events

${WORK_EVENTS.map((event) => `- **${EVENT_NAMES[event]}** – ${EVENT_MEANINGS[event]}`).join("\n")}

## Why

${WORK_STATES.map(reasons).join("\n\n")}
`;
}

interface Arrow {
  readonly from: WorkState;
  readonly to: WorkState;
  readonly labels: string[];
}

/** Several events that lead the same way share an arrow. */
function arrows(): readonly Arrow[] {
  const found = new Map<string, Arrow>();
  const add = (from: WorkState, to: WorkState, label: string): void => {
    const arrow = found.get(`${from} ${to}`) ?? { from, to, labels: [] };
    arrow.labels.push(label);
    found.set(`${from} ${to}`, arrow);
  };
  for (const from of WORK_STATES) {
    for (const event of WORK_EVENTS) {
      const to = TRANSITIONS[from][event];
      if (isState(to)) add(from, to, EVENT_NAMES[event]);
      if (event === "lapse" && to === "queued") add(from, "stopped", "lapse (attempts used up)");
    }
  }
  return [...found.values()];
}

const isState = (transition: Transition): transition is WorkState =>
  (WORK_STATES as readonly Transition[]).includes(transition);

function cell(state: WorkState, event: WorkEvent): string {
  const to = TRANSITIONS[state][event];
  return CELLS[to] ?? `\`${to}\``;
}

function reasons(state: WorkState): string {
  const rows = WORK_EVENTS.filter((event) => TRANSITIONS[state][event] !== "never").map((event) => {
    const reason = REASONS[state][event];
    if (reason === undefined)
      throw new Error(`${event} of a ${state} item has no reason in src/core/reference/arrows.ts`);
    return `| ${EVENT_NAMES[event]} | ${cell(state, event)} | ${reason} |`;
  });
  return `### \`${state}\`\n\n| Event | Leads to | Why |\n| --- | --- | --- |\n${rows.join("\n")}`;
}
