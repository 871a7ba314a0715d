import { choice } from "../../config/schemas.ts";
import { command } from "../spec.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

export const completion = command({
  path: "completion",
  summary: "Print a script with which a shell completes commands, options and their values",
  details: `Prints a script for a shell; its first lines say where it belongs.`,
  group: "none",
  arguments: {
    shell: { usage: "<shell>", summary: `The shell: ${SHELLS.join(", ")}.`, schema: choice(SHELLS) },
  },
  examples: [
    { command: "capstan completion bash", does: "For bash; in ~/.bashrc: source <(capstan completion bash)" },
    { command: "capstan completion fish > ~/.config/fish/completions/capstan.fish", does: "For fish" },
  ],
  async run({ arguments: { shell }, io }) {
    // Loaded here: the table of commands, which all of it is derived from, holds this one too.
    const { places } = await import("../completion/table.ts");
    io.out.write(await SCRIPTS[shell](places()));
    return "ok";
  },
});

const SCRIPTS = {
  bash: async (places) => (await import("../completion/bash.ts")).bashCompletion(places),
  zsh: async (places) => (await import("../completion/zsh.ts")).zshCompletion(places),
  fish: async (places) => (await import("../completion/fish.ts")).fishCompletion(places),
} satisfies Record<(typeof SHELLS)[number], (places: Places) => Promise<string>>;

type Places = ReturnType<typeof import("../completion/table.ts")["places"]>;
