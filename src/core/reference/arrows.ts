import type { WorkEvent, WorkState } from "../transitions.ts";

/** Who raises an event, and on the wire by what. */
export const EVENT_MEANINGS: Readonly<Record<WorkEvent, string>> = {
  deliver: "A poll hands the item out.",
  ack: "A worker takes it.",
  heartbeat: "The worker shows that it is alive and extends its lease.",
  stop: "Somebody asks for the end, or the worker confirms it.",
  forceStop: "The same call with `force`: the end, without waiting for the worker.",
  release: "The worker gives the item back.",
  lapse: "The server finds that the item's deadline has passed.",
};

const SECOND_ACK =
  "The answer to the first ack may have been lost. A repeat is harmless: no stamp and no deadline moves.";
const RELEASED =
  "The worker gives back what it cannot finish: claimable at once or after a delay, and not counted as an attempt.";
const FORCED = "Whoever forces the end does not wait for the worker; its next call is refused.";
const LAPSED =
  "No heartbeat came in time, so the worker is taken for dead. The item keeps its id and its place in line, and its stamps are cleared for the next owner. After the environment's `max_attempts` of these it is stopped instead, and its session is told why.";
const FINAL = "`stopped` is final: nothing brings an item back. Input that is still unanswered gets a new item.";
const SECOND_STOP = "The answer to the first stop may have been lost. A repeat is answered from what is stored.";

/** Why the state machine does what it does: one entry for every cell of the table that can occur. */
export const REASONS: Readonly<Record<WorkState, Partial<Readonly<Record<WorkEvent, string>>>>> = {
  queued: {
    deliver:
      "A delivery may never be read: the worker may die or the connection break. So the item stays queued, and comes due again when nobody acknowledges it within the reclaim window.",
    ack: "From here on the item has an owner and a deadline: the first heartbeat has to come within `start_seconds`. An item that was never delivered can be taken as well.",
    heartbeat:
      "Nobody holds a queued item, so there is no lease to extend. A former owner learns here that it lost it.",
    stop: "No worker is at it, so there is nobody to wait for. The input that it was queued for counts as cancelled.",
    forceStop: "The same as `stop`: there is nobody to wait for.",
    release: "Nobody holds it, so nobody can give it back.",
  },
  starting: {
    ack: SECOND_ACK,
    heartbeat: "The first heartbeat shows that the worker is at work; it becomes `started_at`.",
    stop: "The worker may have begun, so it may end cleanly: it has until its deadline, or the drain limit.",
    forceStop: FORCED,
    release: RELEASED,
    lapse: LAPSED,
  },
  active: {
    ack: SECOND_ACK,
    heartbeat:
      "Extends the lease. The call names the heartbeat that it follows, so that of two workers that both believe they hold the item one is refused.",
    stop: "The worker learns it from the answer to its next heartbeat, ends cleanly and confirms.",
    forceStop: FORCED,
    release: RELEASED,
    lapse: LAPSED,
  },
  stopping: {
    ack: "What is to end is not begun any more.",
    heartbeat: "Ending cleanly takes time, so the lease goes on, but never beyond the environment's drain limit.",
    stop: "The second stop is the confirmation: the worker has finished.",
    forceStop: "Nobody waits for the worker any longer.",
    release: "After a stop request an item never goes back into the queue.",
    lapse: "The worker died while it was ending, or used up the drain limit. What was to stop is stopped.",
  },
  stopped: {
    ack: FINAL,
    heartbeat: FINAL,
    stop: SECOND_STOP,
    forceStop: SECOND_STOP,
    release: FINAL,
  },
};
