import { z } from "zod";
import { LIMITS } from "./limits.ts";
import { text } from "./parameters.ts";

const block = z
  .looseObject({ type: text(64, { min: 1 }) }, "must be an object with a type")
  .superRefine((value, context) => {
    if (value.type === "text" && typeof value.text !== "string") {
      context.addIssue({ code: "custom", path: ["text"], message: "must be a string" });
    }
  });

/**
 * Blocks are checked one by one, up to the first that is wrong: an array of them as a schema goes on after it and keeps
 * every problem, and a body of 32 MB can hold millions, of which the caller is told one.
 */
function content(least: number) {
  return z
    .unknown()
    .superRefine((value, context) => {
      const refused = (message: string, path: readonly PropertyKey[] = []) =>
        context.addIssue({ code: "custom", path: [...path], message });
      if (!Array.isArray(value)) return refused('must be an array of blocks, such as [{"type":"text","text":"…"}]');
      if (value.length < least) return refused("must not be empty");
      if (value.length > LIMITS.blocksPerEvent) return refused(`may hold at most ${LIMITS.blocksPerEvent} blocks`);
      for (const [index, one] of value.entries()) {
        const issue = block.safeParse(one).error?.issues[0];
        if (issue !== undefined) return refused(issue.message, [index, ...issue.path]);
      }
    })
    .meta({
      type: "array",
      items: z.toJSONSchema(block),
      ...(least > 0 && { minItems: least }),
      maxItems: LIMITS.blocksPerEvent,
    });
}

/** The content of an event, as an array of blocks. */
export const blocks = content(0);
export const someBlocks = content(1);
