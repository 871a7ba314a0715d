import type { CliAdapter } from "./adapter.ts";
import { claudeCode, qwenCode } from "./claude-code.ts";
import { codex } from "./codex.ts";
import { gemini } from "./gemini.ts";

/** The coding CLIs whose output is understood. */
export const CLI_ADAPTERS = {
  "claude-code": claudeCode,
  codex,
  gemini,
  "qwen-code": qwenCode,
} as const satisfies Record<string, CliAdapter>;

export type CliAdapterName = keyof typeof CLI_ADAPTERS;
