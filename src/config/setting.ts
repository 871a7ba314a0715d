import type { z } from "zod";

/** Which kinds of command a setting is for. Every command of the CLI belongs to one group. */
export const SETTING_GROUPS = ["serve", "dev", "worker", "attach", "client", "queue", "store", "none"] as const;
export type SettingGroup = (typeof SETTING_GROUPS)[number];

/** All that is known of one setting. Flags, help, resolution, error messages and the reference page are derived from it. */
export interface Setting<T = unknown> {
  /** Left out for secrets: the arguments of a process can be read by every user of its machine. */
  readonly flag?: `--${string}`;
  readonly variable: `CAPSTAN_${string}`;
  /** What stands for the value in help. */
  readonly placeholder: string;
  /** As a person would type it. Without one the setting may be absent. */
  readonly default?: string;
  /** From what was typed to the value; its description completes "… must be …". */
  readonly schema: z.ZodType<T, string>;
  /** One sentence. */
  readonly summary: string;
  readonly groups: readonly SettingGroup[];
  /** Its value appears in no message. */
  readonly secret?: true;
}

/** How messages name a setting: the flag, where it has one, and the variable. */
export const settingLabel = ({ flag, variable }: Pick<Setting, "flag" | "variable">): string =>
  flag === undefined ? variable : `${flag} (${variable})`;

/** A setting cannot be used as it was given. The message is one sentence that says what would be right. */
export class SettingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SettingError";
  }
}
