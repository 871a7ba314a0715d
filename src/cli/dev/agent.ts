/** The agent that `capstan dev` runs when it is given no command: it repeats what it is told, and keeps it in a file. */
import { appendFileSync, readFileSync } from "node:fs";

interface Turn {
  readonly events: readonly { readonly type: string; readonly content?: readonly { readonly text?: string }[] }[];
}

const TRANSCRIPT = "transcript.md";

const turn = JSON.parse(readFileSync(0, "utf8")) as Turn;
for (const { type, content } of turn.events) {
  if (type !== "user.message") continue;
  const text = (content ?? []).map((block) => block.text ?? "").join(" ");
  appendFileSync(TRANSCRIPT, `- ${text.replaceAll("\n", "\n  ")}\n`);
  console.log(`You said: ${text.replaceAll(/\s+/g, " ")}`);
}
const remembered = readFileSync(TRANSCRIPT, "utf8").match(/^- /gm)?.length ?? 0;
console.log(
  `${process.cwd()}/${TRANSCRIPT} holds ${remembered === 1 ? "it" : `all ${remembered} messages of this session`}.`,
);
