import { expect, test } from "vitest";
import { allowsColour } from "../../src/config/environment.ts";
import { withoutSecrets } from "../../src/config/secrets.ts";

test("colour is off where NO_COLOR is set to anything, or the terminal can do nothing", () => {
  expect(allowsColour({})).toBe(true);
  expect(allowsColour({ NO_COLOR: "" })).toBe(true);
  expect(allowsColour({ NO_COLOR: "0" })).toBe(false);
  expect(allowsColour({ TERM: "dumb" })).toBe(false);
});

test("what a program may be given holds no secret setting, and everything else", () => {
  const kept = { PATH: "/bin", CAPSTAN_URL: "http://127.0.0.1:8787", CAPSTAN_WORKER_ID: "w1" };
  const secret = {
    CAPSTAN_TOKEN: "a",
    CAPSTAN_ADMIN_TOKEN: "b",
    CAPSTAN_METRICS_TOKEN: "c",
    CAPSTAN_DATABASE_URL: "d",
  };
  expect(withoutSecrets({ ...kept, ...secret })).toEqual(kept);
});
