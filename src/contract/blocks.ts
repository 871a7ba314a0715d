import { z } from "zod";
import { LIMITS } from "./limits.ts";
import { text, textProblem } from "./parameters.ts";

const TYPE_CHARACTERS = 64;

/** What a block is, for the documents. Requests are checked by {@link firstProblem}. */
const block = z.looseObject({ type: text(TYPE_CHARACTERS, { min: 1 }), text: z.string().optional() });

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * The first thing that is wrong with the content of an event. By hand, because a schema goes on after the first problem
 * and keeps every one of them: a body of 32 MB can hold millions, of which the caller is told one.
 */
function firstProblem(content: unknown, least: number): Problem | undefined {
  if (!Array.isArray(content)) {
    return { path: [], message: 'must be an array of blocks, such as [{"type":"text","text":"…"}]' };
  }
  if (content.length < least) return { path: [], message: "must not be empty" };
  if (content.length > LIMITS.blocksPerEvent) {
    return { path: [], message: `may hold at most ${LIMITS.blocksPerEvent} blocks` };
  }
  for (const [index, value] of content.entries()) {
    const problem = blockProblem(value);
    if (problem !== undefined) return { path: [index, ...problem.path], message: problem.message };
  }
  return undefined;
}

function blockProblem(value: unknown): Problem | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { path: [], message: "must be an object with a type" };
  }
  const { type, text: words } = value as { readonly type?: unknown; readonly text?: unknown };
  const wrongType = textProblem(type, TYPE_CHARACTERS, 1);
  if (wrongType !== undefined) return { path: ["type"], message: wrongType };
  if (type === "text" && typeof words !== "string") return { path: ["text"], message: "must be a string" };
  return undefined;
}

const content = (least: number) =>
  z
    .unknown()
    .superRefine((value, context) => {
      const problem = firstProblem(value, least);
      if (problem !== undefined)
        context.addIssue({ code: "custom", path: [...problem.path], message: problem.message });
    })
    .meta({
      type: "array",
      items: z.toJSONSchema(block),
      ...(least > 0 && { minItems: least }),
      maxItems: LIMITS.blocksPerEvent,
    });

/** The content of an event, as an array of blocks. */
export const blocks = content(0);
export const someBlocks = content(1);
