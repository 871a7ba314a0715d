import { describe, expect, test } from "vitest";
import type { Work } from "../../src/client/index.ts";
import { serverOfThisFile, startForTest } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { hasScript, onTerminal } from "../support/terminal.ts";
import { message } from "../support/turns.ts";

const server = await serverOfThisFile();

describe("work watch", () => {
  const queue = async () => {
    const { id } = await server.client.createEnvironment({ name: "w", config: { type: "self_hosted" } });
    return { id, env: { ...server.env, CAPSTAN_ENVIRONMENT_ID: id } };
  };

  async function oneItem(id: string) {
    await server.client.createSession({ environment_id: id, initial_events: [message("x")] });
    const [item] = (await server.client.listWork({ environment_id: id })).data;
    return { environment_id: id, work_id: (item as Work).id };
  }

  test("tells of each change of state, and ends with Ctrl-C", async () => {
    const { id, env } = await queue();
    const watch = startForTest(["work", "watch"], { env });
    const item = await oneItem(id);
    await watch.find(/work_\w+ {2}queued {2}sess_/);
    await server.client.ackWork(item);
    await watch.find(/work_\w+ {2}queued → starting {2}sess_/);
    await server.client.heartbeatWork({ ...item, expected_last_heartbeat: "NO_HEARTBEAT" });
    await watch.find(/starting → active/);
    await server.client.stopWork({ ...item, force: true });
    await watch.find(/active → stopped/);
    watch.child.kill("SIGINT");
    const { code, stdout } = await watch.ended;
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(4);
  });

  test.skipIf(!hasScript)("on a terminal it is a table that is drawn anew in its place", async () => {
    const { id, env } = await queue();
    const { shown } = onTerminal(env, "work", "watch");
    await oneItem(id);
    await eventually(() => expect(shown()).toMatch(/queued/));
    await eventually(() => expect(shown()).toMatch(/<ESC>\[3A\r<ESC>\[J/));
    expect(shown()).not.toContain("Infinity");
  });

  test("with --json gives the item whenever its state changes", async () => {
    const { id, env } = await queue();
    const item = await oneItem(id);
    const watch = startForTest(["work", "watch", "--json"], { env });
    await watch.find(/"state":"queued"/);
    await server.client.stopWork(item);
    await watch.find(/"state":"stopped"/);
    const shown = watch
      .stdout()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(shown).toMatchObject([
      { id: item.work_id, state: "queued" },
      { id: item.work_id, state: "stopped" },
    ]);
    expect(shown[1]).toEqual(await server.client.getWork(item));
  });
});
