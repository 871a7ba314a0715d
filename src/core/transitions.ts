/** States of a work item, in the only order in which they are ever passed (a lapse or a release goes back to `queued`). */
export const WORK_STATES = ["queued", "starting", "active", "stopping", "stopped"] as const;
export type WorkState = (typeof WORK_STATES)[number];

export const WORK_EVENTS = ["deliver", "ack", "heartbeat", "stop", "forceStop", "release", "lapse"] as const;
export type WorkEvent = (typeof WORK_EVENTS)[number];

/**
 * What an event does in a state.
 * - a state: the item moves there (or stays and has its stamps renewed, when it is the same state)
 * - `unchanged`: accepted, nothing is written
 * - `refused`: 409
 * - `never`: cannot occur, because whoever raises the event selects by state first
 */
export type Transition = WorkState | "unchanged" | "refused" | "never";

/** The state machine. `decide` follows it, the docs draw it, and nothing else changes a state. */
export const TRANSITIONS: Readonly<Record<WorkState, Readonly<Record<WorkEvent, Transition>>>> = {
  queued: {
    deliver: "queued",
    ack: "starting",
    heartbeat: "refused",
    stop: "stopped",
    forceStop: "stopped",
    release: "refused",
    lapse: "never",
  },
  starting: {
    deliver: "never",
    ack: "unchanged",
    heartbeat: "active",
    stop: "stopping",
    forceStop: "stopped",
    release: "queued",
    lapse: "queued",
  },
  active: {
    deliver: "never",
    ack: "unchanged",
    heartbeat: "active",
    stop: "stopping",
    forceStop: "stopped",
    release: "queued",
    lapse: "queued",
  },
  stopping: {
    deliver: "never",
    ack: "refused",
    heartbeat: "stopping",
    stop: "stopped",
    forceStop: "stopped",
    release: "refused",
    lapse: "stopped",
  },
  stopped: {
    deliver: "never",
    ack: "refused",
    heartbeat: "refused",
    stop: "unchanged",
    forceStop: "unchanged",
    release: "refused",
    lapse: "never",
  },
};
