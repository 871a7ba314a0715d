import { expect, test } from "vitest";
import { threadArguments } from "../../src/worker/thread-arguments.ts";

test("a thread inherits the options of its process", () => {
  expect(threadArguments([])).toBeUndefined();
  expect(threadArguments(["--max-old-space-size=100", "--import", "./x.mjs", "--eval", "run()"])).toBeUndefined();
});

test("in a process whose program was given as text, a thread gets what is loaded before it, and nothing else", () => {
  const own = ["--input-type=module", "--import", "./a.mjs", "-r", "b", "--require=c", "--title=x", "--eval", "run()"];
  expect(threadArguments(own)).toEqual(["--import", "./a.mjs", "-r", "b", "--require=c"]);
  expect(threadArguments(["--input-type", "module"])).toEqual([]);
});
