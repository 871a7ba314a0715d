/**
 * The thread that keeps all leases of a worker. It has an event loop and connections of its own, so that beats are sent
 * in time whatever a handler does to the loop of the main thread.
 */
import { randomUUID } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { CapstanClient } from "../client/client.ts";
import { wait } from "../client/wait.ts";
import {
  type KeeperOrder,
  type KeeperReport,
  type KeeperSetup,
  type LeaseHolder,
  sharedNowMs,
} from "./keeper-messages.ts";
import { keepLease, type LeasePorts } from "./lease.ts";

const { environmentId, ...reach } = workerData as KeeperSetup;
const held = new Map<number, AbortController>();

const report = (message: KeeperReport): void => parentPort?.postMessage(message);

function ports({ workId, token }: LeaseHolder, signal: AbortSignal): LeasePorts {
  const client = new CapstanClient({ ...reach, token, maxRetries: 0 });
  return {
    beat: ({ expectedLastHeartbeat, idempotencyKey, retryCount, ttlSeconds, timeoutMs }) =>
      client.heartbeatWork(
        {
          environment_id: environmentId,
          work_id: workId,
          idempotency_key: idempotencyKey,
          x_stainless_retry_count: retryCount === 0 ? undefined : retryCount,
          expected_last_heartbeat: expectedLastHeartbeat,
          desired_ttl_seconds: ttlSeconds,
        },
        { timeoutMs, signal },
      ),
    nowMs: sharedNowMs,
    wait: (ms) => wait(ms, signal),
    random: Math.random,
    newKey: randomUUID,
  };
}

async function hold(lease: number, order: Extract<KeeperOrder, { type: "hold" }>): Promise<void> {
  const controller = new AbortController();
  held.set(lease, controller);
  try {
    await keepLease(order.terms, ports(order.holder, controller.signal), (news) => {
      if (!controller.signal.aborted) report({ type: "news", lease, news });
    });
  } catch (failure) {
    // A dropped lease ends by the abort of its waits; anything else is a fault of this program and must be seen.
    if (!controller.signal.aborted) throw failure;
  } finally {
    held.delete(lease);
  }
}

parentPort?.on("message", (order: KeeperOrder) => {
  if (order.type === "hold") void hold(order.lease, order);
  else held.get(order.lease)?.abort();
});
report({ type: "ready" });
