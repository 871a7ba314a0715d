import { AsyncLocalStorage } from "node:async_hooks";

/**
 * Errors that a handler throws where nobody waits for it: in a timer, in an event listener, in a promise that it let go.
 * Node would end the process for them, and with it every other session of this worker.
 */
type Hear = (error: unknown) => void;

const owner = new AsyncLocalStorage<Hear>();
const EVENTS = ["uncaughtException", "unhandledRejection"] as const;
let workers = 0;

/** Runs what belongs to one session: what goes astray in it, also later, is told to `hear`. */
export const withStrayErrors = <T>(hear: Hear, run: () => T): T => owner.run(hear, run);

/** Begins to catch what goes astray in a session. @returns the way to stop it; the last worker to do so restores all */
export function catchStrayErrors(): () => void {
  workers += 1;
  if (workers === 1) for (const name of EVENTS) process.on(name, caught);
  let over = false;
  return () => {
    if (over) return;
    over = true;
    workers -= 1;
    if (workers === 0) for (const name of EVENTS) process.off(name, caught);
  };
}

function caught(error: unknown): void {
  const hear = owner.getStore();
  if (hear !== undefined) hear(error);
  // Not of a handler: whoever else listens decides, and if nobody does, Node ends the process as it would without us.
  else if (EVENTS.every((name) => process.listenerCount(name) <= 1)) throw error;
}
