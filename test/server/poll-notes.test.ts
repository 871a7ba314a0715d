import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { notePolling, POLLING_WITHIN_MS } from "../../src/server/poll-notes.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const LONGEST_WAIT_MS = 60_000;

/** A store that keeps when it was told of whom. */
function noted() {
  const notes: { at: number; who: string }[] = [];
  const startedAt = Date.now();
  const notePoll = (environmentId: string, workerId: string) =>
    void notes.push({ at: Date.now() - startedAt, who: `${environmentId} ${workerId}` });
  return { notes, store: { notePoll } };
}

test("a worker counts as polling from the beginning of its poll to the end, however long that waits", () => {
  const { notes, store } = noted();
  const answered = notePolling(store, "e", "w", LONGEST_WAIT_MS);
  for (let second = 0; second < LONGEST_WAIT_MS / 1_000; second++) {
    expect(notes.at(-1)?.who).toBe("e w");
    expect(second * 1_000 - (notes.at(-1)?.at ?? 0)).toBeLessThan(POLLING_WITHIN_MS);
    vi.advanceTimersByTime(1_000);
  }
  answered();
});

test("once its poll is answered it is not noted any more", () => {
  const { notes, store } = noted();
  notePolling(store, "e", "w", LONGEST_WAIT_MS)();
  vi.advanceTimersByTime(LONGEST_WAIT_MS);
  expect(notes).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("a poll that is over before its note is too old needs no timer, and one without a name no note", () => {
  const { notes, store } = noted();
  notePolling(store, "e", "w", 25_000);
  expect(notes).toHaveLength(1);
  notePolling(store, "e", null, LONGEST_WAIT_MS);
  expect(notes).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});
