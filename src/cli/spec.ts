import type { z } from "zod";
import type { Resolved, SettingsFor } from "../config/resolve.ts";
import type { SettingGroup } from "../config/setting.ts";
import type { CallerRole, OperationName } from "../contract/operations.ts";
import type { ExitName } from "./exit-codes.ts";
import type { Io } from "./io.ts";

/** An option of one command. What several commands share and what has a variable is a setting instead. */
export type OptionSpec =
  | { readonly kind: "switch"; readonly flags: string; readonly summary: string }
  | {
      readonly kind: "value";
      readonly flags: string;
      readonly summary: string;
      readonly schema: z.ZodType<unknown, string>;
      readonly default?: string;
    }
  | {
      /** May be given several times. */
      readonly kind: "values";
      readonly flags: string;
      readonly summary: string;
      readonly schema: z.ZodType<unknown, string>;
    };

export interface ArgumentSpec {
  /** As help shows it: `<session>`, `[name]`, `<command...>`. */
  readonly usage: `<${string}>` | `[${string}]`;
  readonly summary: string;
  readonly schema: z.ZodType<unknown, string>;
}

type Output<Spec> = Spec extends { readonly schema: z.ZodType<infer T, string> } ? T : never;

export type OptionValues<Options> = {
  readonly [Name in keyof Options]: Options[Name] extends { readonly kind: "switch" }
    ? boolean
    : Options[Name] extends { readonly kind: "values" }
      ? readonly Output<Options[Name]>[]
      : Options[Name] extends { readonly default: string }
        ? Output<Options[Name]>
        : Output<Options[Name]> | undefined;
};

export type ArgumentValues<Arguments> = {
  readonly [Name in keyof Arguments]: Arguments[Name] extends { readonly usage: `${string}...${string}` }
    ? readonly Output<Arguments[Name]>[]
    : Arguments[Name] extends { readonly usage: `[${string}]` }
      ? Output<Arguments[Name]> | undefined
      : Output<Arguments[Name]>;
};

/** What a command is run with. */
export interface Call<Group extends SettingGroup, Options = unknown, Arguments = unknown> {
  readonly settings: SettingsFor<Group>;
  readonly sources: Resolved<Group>["sources"];
  readonly options: OptionValues<Options>;
  readonly arguments: ArgumentValues<Arguments>;
  readonly io: Io;
}

export interface Example {
  readonly command: string;
  readonly does: string;
}

/** One command of the CLI. The parser, its help and the reference page are derived from it. */
export interface CommandSpec<
  Group extends SettingGroup = SettingGroup,
  Options extends Readonly<Record<string, OptionSpec>> = Readonly<Record<string, OptionSpec>>,
  Arguments extends Readonly<Record<string, ArgumentSpec>> = Readonly<Record<string, ArgumentSpec>>,
> {
  /** `serve`, or `session create` for a command in a topic. */
  readonly path: string;
  readonly summary: string;
  /** More than the summary, where there is more to know. */
  readonly details?: string;
  readonly group: Group;
  readonly arguments?: Arguments;
  readonly options?: Options;
  readonly examples: readonly Example[];
  /** What it calls on the server; the roles that may use it follow from that. */
  readonly calls?: readonly OperationName[];
  /** The roles, where they do not follow: not every use makes every call, or a call means less for one of its roles. */
  readonly roles?: readonly CallerRole[];
  /** What not all of these roles may do with it. */
  readonly rolesNote?: string;
  /** How it may end besides `ok`, `failed` and `usage`. */
  readonly exits?: readonly ExitName[];
  run(call: Call<Group, Options, Arguments>): Promise<ExitName>;
}

/** A command whose types have been checked where it was defined, for lists of commands. */
export type AnyCommand = Omit<CommandSpec, "run"> & { run(call: never): Promise<ExitName> };

export const command = <
  Group extends SettingGroup,
  const Options extends Readonly<Record<string, OptionSpec>> = Record<never, never>,
  const Arguments extends Readonly<Record<string, ArgumentSpec>> = Record<never, never>,
>(
  spec: CommandSpec<Group, Options, Arguments>,
): CommandSpec<Group, Options, Arguments> => spec;
