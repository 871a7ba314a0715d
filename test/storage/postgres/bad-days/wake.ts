import assert from "node:assert/strict";
import type { Environment, Session, Work } from "../../../../src/contract/shapes.ts";
import { call } from "../../../crash/calls.ts";
import { pause } from "./day.ts";

const MESSAGE = { type: "user.message", content: [{ type: "text", text: "Do it." }] };
/** Until a poll is parked. */
const PARKED_MS = 300;
/** The routine look of a server that believes that it listens comes every 5 s. */
const ROUTINE_MS = 5_000;
const SLACK_MS = 15_000;

/** A poll that waits on one server, and a session that is made on the other one after the line was cut. */
export async function wakeByRoutine(deaf: string, other: string, cut: () => void): Promise<void> {
  const body = { name: "queue of its own", config: { type: "self_hosted" } };
  const environment = (await call<Environment>(other, "POST", "/environments", { body })).body.id;
  const headers = { prefer: "wait=60", "worker-id": "patient" };
  const path = `/environments/${environment}/work/poll`;
  const waiting = call<Work | null>(deaf, "GET", path, { headers });
  await pause(PARKED_MS);
  cut();
  const began = performance.now();
  const session = { environment_id: environment, initial_events: [MESSAGE] };
  const made = (await call<Session>(other, "POST", "/sessions", { body: session })).body;
  const item = (await waiting).body;
  assert.equal(item?.data.id, made.id);
  assert.ok(performance.now() - began < ROUTINE_MS + SLACK_MS, "the poll waited for longer than the routine look");
}
