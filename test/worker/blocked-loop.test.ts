import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { workerProcess } from "./support/own-process.ts";
import { testQueue } from "./support/queue.ts";

test("a handler that blocks its thread for more than two leases does not lose them", async () => {
  const queue = await testQueue();
  const { session, output } = await workerProcess(queue, "block");
  expect(await queue.untilIdle(session.id, 60_000)).toBe("end_turn");
  expect(await queue.replies(session.id)).toEqual(["still mine"]);
  const types = (await queue.events(session.id)).map((event) => event.type);
  expect(types).toEqual(["user.message", "session.status_running", "agent.message", "session.status_idle"]);
  const [item, ...others] = await queue.items(session.id);
  expect(others).toEqual([]);
  // The heartbeats reached over the whole time, not only its ends.
  const beatsOverMs = Date.parse(item?.latest_heartbeat_at ?? "") - Date.parse(item?.started_at ?? "");
  expect(beatsOverMs).toBeGreaterThan(12_000);
  await eventually(() => expect(output()).toMatch(/session_finished: .* completed/));
}, 90_000);
