import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settingsReference } from "../../src/config/reference.ts";
import { resolveSettings, settingsOf } from "../../src/config/resolve.ts";
import { SETTING_GROUPS, type Setting, SettingError, settingLabel } from "../../src/config/setting.ts";
import { SETTING_NAMES, SETTINGS, type SettingName } from "../../src/config/settings.ts";
import { SERVER_LIMITS } from "../../src/server/options.ts";

const table = SETTING_NAMES.map((name): [SettingName, Setting] => [name, SETTINGS[name]]);

/** Values that a setting takes, as a person could type them, where the default alone says too little. */
const VALID: Partial<Record<SettingName, fc.Arbitrary<string>>> = {
  host: fc.constantFrom("0.0.0.0", "::1", "localhost", "db.example.org"),
  port: fc.integer({ min: 0, max: 65_535 }).map(String),
  databaseUrl: fc.constantFrom("postgres://u:p@h/d", "postgresql://h:5432/d"),
  databaseListenUrl: fc.constantFrom("postgres://h/d", "none"),
  databaseSchema: fc.constantFrom("capstan", "team_2"),
  adminToken: fc.string({ unit: fc.constantFrom("a", "Z", "0", "-", "_", "="), minLength: 32, maxLength: 80 }),
  token: fc.constantFrom("cpt_abc", "x"),
  metricsToken: fc.constantFrom("cpt_abc", "x"),
  url: fc.constantFrom("http://127.0.0.1:8787", "https://capstan.example.org/base"),
  environment: fc.constant("env_01981f3a9c2e7b1c8d4e5f60718293a4"),
  workerId: fc.constantFrom("w1", "rack-3/slot-4"),
  workspaceRoot: fc.constantFrom("/tmp/w", "w"),
  logLevel: fc.constantFrom("debug", "silent"),
  output: fc.constantFrom("text", "jsonl"),
  workToken: fc.constantFrom("cwt_abc", "x"),
  workId: fc.constant("work_01981f3a9c2e7b1c8d4e5f60718293a4"),
  lastHeartbeat: fc.constant("2026-07-01T08:16:06.120394Z"),
  sandbox: fc.constantFrom("none", "bwrap"),
  memoryMb: fc.integer({ min: 16, max: 65_536 }).map(String),
  maxProcesses: fc.integer({ min: 1, max: 4_096 }).map(String),
  cpuSeconds: fc.integer({ min: 1, max: 86_400 }).map(String),
  maxTurnSeconds: fc.integer({ min: 1, max: 86_400 }).map(String),
};
const validText = (name: SettingName): fc.Arbitrary<string> =>
  VALID[name] ?? fc.constant((SETTINGS[name] as Setting).default ?? "missing an example");

describe("the settings table", () => {
  test("names every flag and every variable after its setting, once", () => {
    for (const [name, setting] of table) {
      const kebab = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      if (setting.flag !== undefined) expect(setting.flag).toBe(`--${kebab}`);
      const expected = name === "environment" ? "ENVIRONMENT_ID" : kebab.replaceAll("-", "_").toUpperCase();
      expect(setting.variable).toBe(`CAPSTAN_${expected}`);
    }
    expect(new Set(table.map(([, setting]) => setting.variable)).size).toBe(table.length);
  });

  test("gives tokens no flag, so that they never stand in a process list", () => {
    for (const [name, setting] of table) {
      if (!/token/i.test(name)) continue;
      expect(setting.flag, name).toBeUndefined();
      expect(setting.secret, name).toBe(true);
    }
  });

  test("has one sentence, a value in words and a group for each setting", () => {
    for (const [name, setting] of table) {
      expect(setting.summary, name).toMatch(/^[A-Z`].*\.$/);
      expect(setting.schema.description, name).toBeTruthy();
      expect(setting.groups.length, name).toBeGreaterThan(0);
    }
  });

  test("has defaults that are valid themselves", () => {
    for (const [name, setting] of table) {
      if (setting.default !== undefined) expect(setting.schema.safeParse(setting.default).success, name).toBe(true);
    }
  });

  test("offers every limit of the server, with the server's own default", () => {
    const { values } = resolveSettings("serve", {}, {});
    expect(values).toMatchObject(SERVER_LIMITS);
  });

  test("is printed whole in the reference", () => {
    const page = settingsReference();
    for (const [, setting] of table) expect(page).toContain(`\`${setting.variable}\``);
    expect(page).not.toContain("undefined");
  });
});

describe("resolving settings", () => {
  const cases = table.flatMap(([name, setting]) => setting.groups.map((group) => ({ name, setting, group })));

  test("a flag wins over its variable, a variable over the default", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...cases).chain((one) => fc.tuple(fc.constant(one), validText(one.name), validText(one.name))),
        ([{ name, setting, group }, onFlag, inVariable]) => {
          const environment = { [setting.variable]: inVariable };
          const flags = { [name]: onFlag };
          const read = (text: string) => setting.schema.parse(text);
          const both = resolveSettings(group, flags, environment);
          const winner = setting.flag === undefined ? inVariable : onFlag;
          expect((both.values as Record<string, unknown>)[name]).toEqual(read(winner));
          expect(both.sources[name]).toBe(setting.flag === undefined ? "variable" : "flag");
          const alone = resolveSettings(group, {}, environment);
          expect((alone.values as Record<string, unknown>)[name]).toEqual(read(inVariable));
          const none = resolveSettings(group, {}, {}).values as Record<string, unknown>;
          expect(none[name]).toEqual(setting.default === undefined ? undefined : read(setting.default));
        },
      ),
    );
  });

  test("a variable that is set to nothing counts as not set, an empty flag does not", () => {
    expect(resolveSettings("serve", {}, { CAPSTAN_PORT: "", CAPSTAN_DATABASE_URL: "" }).values).toMatchObject({
      port: 8787,
    });
    expect(() => resolveSettings("serve", { port: "" }, {})).toThrow(SettingError);
  });

  test("a value that cannot be used is named by flag and variable, with what would be right", () => {
    for (const text of ["65536", "-1", "8787.0", "0x1f", " 80", "eighty"]) {
      expect(() => resolveSettings("serve", { port: text }, {})).toThrow(
        `--port (CAPSTAN_PORT) must be a whole number from 0 to 65535, not ${JSON.stringify(text)}.`,
      );
    }
    expect(() => resolveSettings("serve", {}, { CAPSTAN_LOG_LEVEL: "loud" })).toThrow(
      '--log-level (CAPSTAN_LOG_LEVEL) must be fatal, error, warn, info, debug or silent, not "loud".',
    );
  });

  test("no message shows the value of a secret", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...cases.filter(({ setting }) => setting.secret)),
        fc.constantFrom(" hunter2", "hünter2-hünter2-hünter2-hünter2-hünter2"),
        ({ setting, group }, secret) => {
          const failure = caught(() => resolveSettings(group, {}, { [setting.variable]: secret }));
          expect(failure?.message).toContain(settingLabel(setting));
          expect(failure?.message).not.toContain(secret.trim());
        },
      ),
    );
  });

  test("an admin token has at least 32 characters", () => {
    const tokenOf = (text: string) => resolveSettings("serve", {}, { CAPSTAN_ADMIN_TOKEN: text }).values.adminToken;
    expect(tokenOf("x".repeat(32))).toBe("x".repeat(32));
    for (const length of [31, 4_097]) {
      expect(() => tokenOf("x".repeat(length))).toThrow(
        "CAPSTAN_ADMIN_TOKEN must be at least 32 characters (at most 4096)",
      );
    }
    expect(tokenOf("x".repeat(4_096))).toHaveLength(4_096);
  });

  test("a server's URL loses its last slash, and the path of the API, and may carry no credentials", () => {
    const urlOf = (text: string) => resolveSettings("client", { url: text }, {}).values.url;
    expect(urlOf("http://127.0.0.1:8787/")).toBe("http://127.0.0.1:8787");
    expect(urlOf("https://example.org/capstan//")).toBe("https://example.org/capstan");
    expect(urlOf("https://example.org/capstan/api/v1/cloud/")).toBe("https://example.org/capstan");
    for (const text of ["http://u:p@h", "ftp://h", "127.0.0.1:8787", "http://h?token=x"]) {
      expect(() => urlOf(text), text).toThrow("--url (CAPSTAN_URL) must be an http:// or https:// URL");
    }
  });

  test("a variable that a command does not use cannot stop it", () => {
    for (const group of SETTING_GROUPS) {
      const names = settingsOf(group);
      const foreign = table.filter(([name]) => !names.includes(name)).map(([, { variable }]) => [variable, " "]);
      const { values } = resolveSettings(group, {}, Object.fromEntries(foreign));
      expect(Object.keys(values).every((name) => names.includes(name as SettingName))).toBe(true);
    }
  });
});

function caught(run: () => unknown): Error | undefined {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  return undefined;
}
