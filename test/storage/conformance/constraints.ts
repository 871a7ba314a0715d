import { describe, expect, it } from "vitest";
import type { StorageHarness } from "./harness.ts";
import { useBench } from "./support.ts";

/** Items that would mean two things, by the column that is wrong. Each is refused by the database itself. */
const CONTRADICTIONS: Record<string, string> = {
  "a state that does not exist": "UPDATE work SET state = 'paused'",
  "a queued item that is acknowledged": "UPDATE work SET acknowledged_at = created_at WHERE state = 'queued'",
  "a queued item with a deadline":
    "UPDATE work SET deadline_at = created_at, sweep_at = created_at WHERE state = 'queued'",
  "a queued item with a holder": "UPDATE work SET holder = 'w1' WHERE state = 'queued'",
  "a queued item that was asked to stop": "UPDATE work SET stop_requested_at = created_at WHERE state = 'queued'",
  "an active item without a deadline": "UPDATE work SET deadline_at = NULL, sweep_at = NULL WHERE state = 'active'",
  "an active item that nobody sweeps": "UPDATE work SET sweep_at = NULL WHERE state = 'active'",
  "an active item that is swept after its deadline":
    "UPDATE work SET sweep_at = deadline_at + 1 WHERE state = 'active'",
  "an active item without a start": "UPDATE work SET started_at = NULL WHERE state = 'active'",
  "an active item with a delivery": "UPDATE work SET delivered_at = created_at WHERE state = 'active'",
  "an active item with a delay": "UPDATE work SET available_at = created_at WHERE state = 'active'",
  "an acknowledgement before the creation": "UPDATE work SET acknowledged_at = created_at - 1 WHERE state = 'active'",
  "a start before the acknowledgement": "UPDATE work SET started_at = acknowledged_at - 1 WHERE state = 'active'",
  "a heartbeat before the start": "UPDATE work SET latest_heartbeat_at = started_at - 1 WHERE state = 'active'",
  "a heartbeat above its floor": "UPDATE work SET heartbeat_floor = latest_heartbeat_at - 1 WHERE state = 'active'",
  "a stopped item without the time": "UPDATE work SET stopped_at = NULL WHERE state = 'stopped'",
  "a stop before it was asked for": "UPDATE work SET stopped_at = stop_requested_at - 1 WHERE state = 'stopped'",
  "a stopped item with a deadline":
    "UPDATE work SET deadline_at = stopped_at, sweep_at = stopped_at WHERE state = 'stopped'",
  "a stopped item that came back to life without a trace": "UPDATE work SET state = 'queued' WHERE state = 'stopped'",
  "two live items of one session":
    "UPDATE work SET session_id = (SELECT max(session_id) FROM work WHERE state = 'active') WHERE state = 'queued'",
  "a session in no known status": "UPDATE session SET status = 'sleeping'",
  "a running session whose time does not run": "UPDATE session SET active_since = NULL WHERE status = 'running'",
  "an archived session with a live item": "UPDATE session SET archived_at = created_at WHERE live_work_id IS NOT NULL",
  "a terminated session that is not archived":
    "UPDATE session SET status = 'terminated', active_since = NULL WHERE live_work_id IS NULL",
  "a worker token without an environment": "UPDATE token SET role = 'worker'",
  "a token of no known role": "UPDATE token SET role = 'root'",
  "two tokens with one secret": "UPDATE token SET hash = 'same'",
};

export function constraintTests(harness: StorageHarness): void {
  describe("the database itself refuses", () => {
    const bench = useBench(harness);

    it("every row that would mean two things", async () => {
      const environment = await bench().environment();
      await bench().queued(environment.id);
      await bench().activate(await bench().queued(environment.id));
      await bench().stop(await bench().queued(environment.id));
      for (const hash of ["1", "2"]) {
        const input = { name: "t", role: "admin", environmentId: null, hash, expiresInSeconds: null } as const;
        await bench().do("createToken", input);
      }
      await bench().store.close();
      const accepted: string[] = [];
      for (const [what, sql] of Object.entries(CONTRADICTIONS)) {
        const ran = await bench()
          .database.run(sql)
          .then(
            () => true,
            () => false,
          );
        if (ran) accepted.push(what);
      }
      expect(accepted).toEqual([]);
      // What is refused here is refused for its meaning: the same rows take a change that means something.
      await bench().database.run("UPDATE work SET metadata = '{}'");
      await bench().database.run("UPDATE session SET title = 'x'");
    });
  });
}
