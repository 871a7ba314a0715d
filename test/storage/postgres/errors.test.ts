import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { unavailable } from "../../../src/storage/postgres/errors.ts";
import { StoreUnavailable } from "../../../src/storage/store.ts";
import { createTestSchema } from "../../support/postgres.ts";

let place: Awaited<ReturnType<typeof createTestSchema>>;
let client: pg.Client;
beforeAll(async () => {
  place = await createTestSchema();
  client = new pg.Client({ connectionString: place.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await place.drop();
});

const failureOf = (query: Promise<unknown>): Promise<unknown> =>
  query.then(
    () => undefined,
    (error) => error,
  );

const OF_A_POOLER = {
  "somebody else has prepared it": async () => {
    await client.query("PREPARE taken AS SELECT 1");
    return failureOf(client.query({ name: "taken", text: "SELECT 1" }));
  },
  "it was prepared somewhere else": async () => {
    await client.query({ name: "lost", text: "SELECT 1" });
    await client.query("DEALLOCATE ALL");
    return failureOf(client.query({ name: "lost", text: "SELECT 1" }));
  },
};

test.each(Object.entries(OF_A_POOLER))(
  "a pooler that mixes up statements is named with the setting that helps: %s",
  async (_what, fail) => {
    const told = unavailable(await fail());
    expect(told).toBeInstanceOf(StoreUnavailable);
    expect((told as Error).message).toContain("--database-prepare off");
  },
);

test("a defect of ours is none of the database", async () => {
  const error = await failureOf(client.query("SELECT nothing"));
  expect(error).toBeInstanceOf(Error);
  expect(unavailable(error)).toBe(error);
});

test("a statement that somebody cancels is a database that cannot be used, without its own words", async () => {
  await client.query("SET statement_timeout = 10");
  const told = unavailable(await failureOf(client.query("SELECT pg_sleep(5)")));
  expect(told).toEqual(new StoreUnavailable("The database cannot be used: a statement took too long."));
});

test("a password that the URL does not have is a database that cannot be used, and no defect", async () => {
  const url = Object.assign(new URL(place.url), { password: "" });
  const stranger = new pg.Client({ connectionString: url.href });
  stranger.on("error", () => undefined);
  const told = unavailable(await failureOf(stranger.connect()));
  await stranger.end();
  const reason = "it wants a password, and the database URL has none";
  expect(told).toEqual(new StoreUnavailable(`The database cannot be used: ${reason}.`));
});
