import { expect, test } from "vitest";
import { Lifecycle, type WorkerMode } from "../../src/worker/lifecycle.ts";

function passing(...modes: WorkerMode[]) {
  const seen: WorkerMode[] = [];
  const lifecycle = new Lifecycle((mode) => seen.push(mode));
  const accepted = modes.map((mode) => lifecycle.to(mode));
  return { lifecycle, seen, accepted };
}

test("a worker runs, drains and stops; every change is told once", () => {
  const { lifecycle, seen, accepted } = passing("running", "draining", "draining", "stopped");
  expect(accepted).toEqual([true, true, false, true]);
  expect(seen).toEqual(["running", "draining", "stopped"]);
  expect(lifecycle.polling.aborted).toBe(true);
});

test("polling is allowed in mode running only", () => {
  expect(passing("running").lifecycle.polling.aborted).toBe(false);
  expect(passing("running", "draining").lifecycle.polling.aborted).toBe(true);
  expect(passing("running", "aborting").lifecycle.polling.aborted).toBe(true);
});

test.each<[string, WorkerMode[]]>([
  ["a drain cannot be taken back", ["running", "draining", "running"]],
  ["an abort cannot become a drain", ["running", "aborting", "draining"]],
  ["a stopped worker cannot run", ["stopped", "running"]],
  ["a worker that runs cannot be stopped without an end of its sessions", ["running", "stopped"]],
])("%s", (_, modes) => {
  const { lifecycle, accepted } = passing(...modes);
  expect(accepted.at(-1)).toBe(false);
  expect(lifecycle.mode).toBe(modes.at(-2));
});

test("a drain may become an abort", () => {
  expect(passing("running", "draining", "aborting", "stopped").lifecycle.mode).toBe("stopped");
});

test("who waits for the end is told at the end", async () => {
  const { lifecycle } = passing("running", "draining");
  let stopped = false;
  const waiting = lifecycle.stopped.then(() => {
    stopped = true;
  });
  await Promise.resolve();
  expect(stopped).toBe(false);
  lifecycle.to("stopped");
  await waiting;
});
