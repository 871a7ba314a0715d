import { describe, expect, test } from "vitest";
import { startForTest } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { message, reply, turnsOfThisFile } from "../support/turns.ts";

const { server, environment_id, start, newSession, send, events, take } = await turnsOfThisFile();

describe("session send --follow", () => {
  test("prints what the agent answers, and ends with the turn", async () => {
    const session = await newSession("before");
    await send(session, message("unseen"));
    const item = await take(session);
    await send(session, reply("old answer"));
    const following = start("session", "send", session, "now", "--follow");
    await eventually(async () => expect((await events(session)).at(-1)).toMatchObject(message("now")));
    await send(session, reply("new answer"));
    await following.find(/new answer/);
    await server.client.stopWork({ ...item, force: true });
    expect(await following.ended).toMatchObject({ code: 0, stdout: "new answer\n" });
  });

  test("does not take the end of the turn before for its own, from a worker that stays", async () => {
    const session = await newSession("first");
    const item = await take(session);
    const [first] = await events(session);
    const following = start("session", "send", session, "second", "--follow", "--json");
    await eventually(async () => expect((await events(session)).at(-1)).toMatchObject(message("second")));
    const second = (await events(session)).at(-1)?.id;
    await send(session, { type: "span.turn_end", processed_through: first?.id });
    await send(session, reply("answer to the second"));
    await following.find(/answer to the second/);
    await send(session, { type: "span.turn_end", processed_through: second });
    const { code, stdout } = await following.ended;
    expect(code).toBe(0);
    const types = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).type);
    expect(types).toEqual(["span.turn_end", "agent.message", "span.turn_end"]);
    await server.client.stopWork({ ...item, force: true });
  });

  test("tells by its exit code how the turn has ended", async () => {
    const broken = await newSession("x");
    const item = await take(broken);
    const failing = start("session", "send", broken, "y", "--follow");
    await eventually(async () => expect((await events(broken)).at(-1)).toMatchObject(message("y")));
    await send(broken, { type: "session.error", error: { message: "out of memory" } }, reply("sorry"));
    await server.client.stopWork({ ...item, force: true });
    expect(await failing.ended).toMatchObject({ code: 10, stderr: expect.stringContaining("error: out of memory") });

    const { client } = server;
    for (const [ended, end] of [
      ["cancelled", (id: string) => client.cancelSession({ session_id: id })],
      ["archived", (id: string) => client.archiveSession({ session_id: id })],
    ] as const) {
      const session = await newSession();
      const following = start("session", "send", session, "x", "--follow");
      await eventually(async () => expect(await events(session)).toHaveLength(2));
      await end(session);
      const stderr = expect.stringContaining(`The session was ${ended}.`);
      expect(await following.ended).toMatchObject({ code: 11, stdout: "", stderr });
    }
  });
});

test("run prints the answer while it comes, and ends with the turn", async () => {
  const running = startForTest(["run", "Say hello", "--title", "greeting"], {
    env: { ...server.env, CAPSTAN_ENVIRONMENT_ID: environment_id },
  });
  const [, session = ""] = await running.find(/Session (sess_\w+); Ctrl-C cancels it/);
  const item = await take(session);
  await send(session, reply("Hel"));
  await running.find(/Hel\n/);
  await send(session, reply("lo."));
  await running.find(/lo\./);
  expect(running.stdout()).toBe("Hel\nlo.\n");
  await server.client.stopWork({ ...item, force: true });
  expect((await running.ended).code).toBe(0);
});
