/** What a caller is told when the database goes away between a commit and its answer. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CapstanClient } from "../../src/client/index.ts";
import { StoreUnavailable } from "../../src/storage/store.ts";
import { intercepting } from "../support/intercepting.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, MESSAGE, ok, refused } from "./support/api.ts";

let server: TestServer;
let api: Api;
let environment: string;
/** What the store does with commands of this name. */
let failing: { readonly name: string; readonly mayHaveHappened: boolean } | undefined;
let asked: string[] = [];

beforeAll(async () => {
  const wrapStore = intercepting("execute", (execute) => (name: string, input: unknown) => {
    asked.push(name);
    if (failing?.name !== name) return execute(name, input);
    return Promise.reject(new StoreUnavailable("gone", { mayHaveHappened: failing.mayHaveHappened }));
  });
  server = await startTestServer({ wrapStore });
  api = new Api(server);
  environment = (await api.environment()).id;
});
beforeEach(() => {
  failing = undefined;
  asked = [];
});
afterAll(() => server.stop());

const ONCE: Readonly<Record<string, [command: string, call: (item: string, session: string) => Promise<unknown>]>> = {
  "a new session": [
    "createSession",
    () => post("/sessions", { environment_id: environment, initial_events: [MESSAGE] }),
  ],
  "a new environment": ["createEnvironment", () => post("/environments", { name: "again" })],
  "a message": ["sendEvents", (_, session) => post(`/sessions/${session}/events`, { events: [MESSAGE] })],
  "a graceful stop": ["stop", (item) => post(`/environments/${environment}/work/${item}/stop`, {})],
};
const AGAIN: typeof ONCE = {
  "an ack": ["ack", (item) => post(`/environments/${environment}/work/${item}/ack`)],
  "a heartbeat": ["heartbeat", (item) => post(`/environments/${environment}/work/${item}/heartbeat`)],
  "a forced stop": ["stop", (item) => post(`/environments/${environment}/work/${item}/stop`, { force: true })],
  "new metadata": ["updateSession", (_, session) => post(`/sessions/${session}`, { metadata: { a: "b" } })],
};

const post = (path: string, body?: unknown) => server.call("POST", path, body === undefined ? {} : { body });
type Answered = Awaited<ReturnType<typeof post>>;

test.each(Object.entries(ONCE))(
  "%s that may be there already is not to be repeated blindly",
  async (_, [name, call]) => {
    const session = await api.session(environment);
    const item = ok(await api.poll(environment))?.id as string;
    failing = { name, mayHaveHappened: true };
    const answer = (await call(item, session.id)) as Answered;
    expect(refused(answer, 503, "api_error").message).toContain("Look whether it was before you send it again");
    expect(answer.headers.get("x-should-retry")).toBe("false");
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    failing = { name, mayHaveHappened: false };
    const nothing = (await call(item, session.id)) as Answered;
    expect(refused(nothing, 503, "api_error").message).toContain("Try again");
    expect(nothing.headers.get("x-should-retry")).toBeNull();
  },
);

test.each(Object.entries(AGAIN))("%s is repeated whatever became of it", async (_, [name, call]) => {
  const session = await api.session(environment);
  const item = ok(await api.poll(environment))?.id as string;
  failing = { name, mayHaveHappened: true };
  const answer = (await call(item, session.id)) as Answered;
  expect(refused(answer, 503, "api_error").message).toContain("Try again");
  expect(answer.headers.get("x-should-retry")).toBeNull();
});

test("the client makes no second session of one whose fate nobody knows", async () => {
  const client = new CapstanClient({ baseUrl: server.urls[0] as string, token: server.adminToken });
  const create = () => client.createSession({ environment_id: environment, initial_events: [MESSAGE] });
  failing = { name: "createSession", mayHaveHappened: true };
  await expect(create()).rejects.toMatchObject({ status: 503, shouldRetry: false });
  expect(asked.filter((name) => name === "createSession")).toHaveLength(1);
});
