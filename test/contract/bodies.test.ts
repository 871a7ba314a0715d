import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { acceptConfig } from "../../src/contract/accept.ts";
import { createEnvironmentBody, createTokenBody, environmentConfig } from "../../src/contract/bodies.ts";
import { OPERATIONS } from "../../src/contract/operations.ts";
import { accepts, HEX, read, refusedIn } from "./support.ts";

const NO_OBJECTS = [null, [], "text", 7, true];

describe("a body", () => {
  it("is a JSON object, in every call that takes one", () => {
    for (const operation of Object.values(OPERATIONS)) {
      if (!("body" in operation)) continue;
      for (const body of NO_OBJECTS) expect(refusedIn(operation.body, body)).toBe("");
    }
  });

  it("may be empty where nothing is required", () => {
    for (const name of ["stopWork", "releaseWork", "updateWork", "updateSession", "updateEnvironment"] as const) {
      expect(read(OPERATIONS[name].body, {}).value).toEqual({});
    }
  });
});

describe("metadata", () => {
  const given = (metadata: unknown) => read(createEnvironmentBody, { name: "e", metadata });
  const patched = (metadata: unknown) => read(OPERATIONS.updateWork.body, { metadata });

  it("is a flat object of strings", () => {
    expect(given({ a: "b", c: "" }).value).toMatchObject({ metadata: { a: "b", c: "" } });
    for (const metadata of [...NO_OBJECTS, { a: 1 }, { a: {} }, { a: ["b"] }, { a: null }]) {
      expect(given(metadata).refused).toBe("metadata");
    }
  });

  it("as a patch may remove with null, and is nothing else than an object itself", () => {
    expect(patched({ a: null, b: "c" }).value).toEqual({ metadata: { a: null, b: "c" } });
    for (const metadata of [...NO_OBJECTS, { a: 1 }, { a: {} }, { a: true }])
      expect(patched(metadata).refused).toBe("metadata");
  });

  it("has at most 16 keys of 1 to 64 characters, and values of at most 512, counted as code points", () => {
    const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));
    expect([given(keys(16)).refused, given(keys(17)).refused]).toEqual([undefined, "metadata"]);
    for (const character of ["a", "é", "😀"]) {
      expect(given({ [character.repeat(64)]: character.repeat(512) }).refused).toBeUndefined();
      expect(given({ [character.repeat(65)]: "v" }).refused).toBe("metadata");
      expect(given({ k: character.repeat(513) }).refused).toBe("metadata");
    }
    expect(given({ "": "v" }).refused).toBe("metadata");
  });

  it("takes any key that JSON can hold, __proto__ and constructor too", () => {
    const metadata = JSON.parse('{"__proto__":"a","constructor":"b"}');
    expect(JSON.stringify(given(metadata).value)).toContain('{"__proto__":"a","constructor":"b"}');
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });

  it("is judged alike whatever it holds: within the limits it is taken as it is", () => {
    const bag = fc.dictionary(fc.string({ minLength: 1, maxLength: 64 }), fc.string({ maxLength: 512 }), {
      maxKeys: 16,
    });
    fc.assert(
      fc.property(bag, (metadata) => {
        expect(given({ ...metadata }).value).toEqual({ name: "e", metadata: { ...metadata } });
      }),
    );
  });
});

describe("the config of an environment", () => {
  const config = (value: unknown) => read(createEnvironmentBody, { name: "e", config: value });

  it("may be left out, but is neither null nor empty nor of another kind", () => {
    expect(accepts(createEnvironmentBody, { name: "e" })).toBe(true);
    expect(config({}).refused).toBe("config.type");
    for (const value of NO_OBJECTS) expect(config(value).refused).toBe("config");
    for (const type of ["", "local", "SELF_HOSTED", null, 5]) expect(config({ type }).refused).toBe("config.type");
  });

  it("is kept as it was sent, also what this server does not know", () => {
    const cloud = { type: "cloud", packages: { npm: ["x"] } };
    expect(config(cloud).value).toMatchObject({ config: cloud });
    const selfHosted = { type: "self_hosted", setup_script: "true", extra: 1, queue: { max_attempts: 0 } };
    expect(config(selfHosted).value).toMatchObject({ config: selfHosted });
  });

  it("bounds the settings of the queue", () => {
    const queue = (value: unknown) => config({ type: "self_hosted", queue: value }).refused;
    expect([queue({ max_attempts: 0 }), queue({ drain_seconds: 1 }), queue({ start_seconds: 1 })]).toEqual(
      Array(3).fill(undefined),
    );
    for (const value of [-1, 1.5, 1_001, "5", null, true]) {
      expect(queue({ max_attempts: value })).toBe("config.queue.max_attempts");
    }
    expect(queue({ drain_seconds: 0 })).toBe("config.queue.drain_seconds");
    expect(queue({ start_seconds: 3_601 })).toBe("config.queue.start_seconds");
    expect(queue(null)).toBe("config.queue");
  });

  it("gives the policy of the queue, with defaults for what it leaves out", () => {
    const policy = (value: unknown) => acceptConfig(environmentConfig.parse(value)).policy;
    expect(policy({ type: "self_hosted" })).toEqual({ maxAttempts: 5, drainSeconds: 600, startSeconds: 60 });
    expect(policy({ type: "self_hosted", queue: { max_attempts: 0, drain_seconds: 5 } })).toEqual({
      maxAttempts: 0,
      drainSeconds: 5,
      startSeconds: 60,
    });
    expect(policy({ type: "cloud", queue: { max_attempts: 1 } }).maxAttempts).toBe(5);
  });

  it("of an update is judged like that of a creation as soon as it names a type", () => {
    const update = (value: unknown) => refusedIn(OPERATIONS.updateEnvironment.body, { config: value });
    expect([update({ type: "self_hosted" }), update({ queue: {} })]).toEqual([undefined, undefined]);
    expect(update({ type: "local" })).toBe("config.type");
    expect(update({ type: "self_hosted", queue: { max_attempts: -1 } })).toBe("config.queue.max_attempts");
    for (const value of [...NO_OBJECTS, {}]) expect(update(value)).toBe("config");
  });
});

describe("a stop and a release", () => {
  it("take a boolean, an event's id and a whole number, and nothing in their place", () => {
    const stop = (body: unknown) => refusedIn(OPERATIONS.stopWork.body, body);
    expect([stop({ force: true }), stop({ force: false }), stop({ processed_through: `evt_${HEX}` })]).toEqual(
      Array(3).fill(undefined),
    );
    for (const force of [null, "true", 1, 0, [], {}]) expect(stop({ force })).toBe("force");
    for (const id of [null, "", `work_${HEX}`, `evt_${HEX}\n`, 5])
      expect(stop({ processed_through: id })).toBe("processed_through");
    const release = (body: unknown) => refusedIn(OPERATIONS.releaseWork.body, body);
    expect([release({ delay_ms: 0 }), release({ delay_ms: 86_400_000, reason: "full" })]).toEqual([
      undefined,
      undefined,
    ]);
    for (const delay of [-1, 0.5, 86_400_001, "5", null]) expect(release({ delay_ms: delay })).toBe("delay_ms");
    expect(release({ reason: 5 })).toBe("reason");
  });
});

describe("a token", () => {
  const token = (body: object) => refusedIn(createTokenBody, { name: "t", ...body });
  const environment = `env_${HEX}`;

  it("of role worker names its environment, and no other role does", () => {
    expect(token({ role: "worker", environment_id: environment })).toBeUndefined();
    expect(token({ role: "worker" })).toBe("environment_id");
    expect(token({ role: "worker", environment_id: null })).toBe("environment_id");
    for (const role of ["admin", "client"]) {
      expect([token({ role }), token({ role, environment_id: null })]).toEqual([undefined, undefined]);
      expect(token({ role, environment_id: environment })).toBe("environment_id");
    }
  });

  it("has a name, a role that exists, and a lifetime in whole seconds or none", () => {
    expect(refusedIn(createTokenBody, { role: "admin" })).toBe("name");
    expect(token({ role: "admin", name: "" })).toBe("name");
    for (const role of [undefined, null, "root", "Admin"]) expect(token({ role })).toBe("role");
    expect([
      token({ role: "admin", expires_in_seconds: 1 }),
      token({ role: "admin", expires_in_seconds: null }),
    ]).toEqual([undefined, undefined]);
    for (const seconds of [0, -1, 1.5, "60", 315_360_001, Number.MAX_VALUE]) {
      expect(token({ role: "admin", expires_in_seconds: seconds })).toBe("expires_in_seconds");
    }
    expect(token({ role: "worker", environment_id: "env_1" })).toBe("environment_id");
  });
});
