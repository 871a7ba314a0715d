import type { Outcome } from "../faults.ts";
import * as agents from "./agents.ts";
import type { CommandDefinition } from "./command.ts";
import * as environments from "./environments.ts";
import * as sessions from "./sessions.ts";
import * as tokens from "./tokens.ts";
import * as work from "./work.ts";

/** Every write that a store can run, by name. */
export const COMMANDS = { ...agents, ...environments, ...sessions, ...tokens, ...work };

export type CommandName = keyof typeof COMMANDS;
type DefinitionOf<K extends CommandName> = (typeof COMMANDS)[K];
export type CommandInput<K extends CommandName> =
  DefinitionOf<K> extends CommandDefinition<infer Input, infer _Output> ? Input : never;
export type CommandOutput<K extends CommandName> =
  DefinitionOf<K> extends CommandDefinition<infer _Input, infer Output> ? Output : never;
export type CommandOutcome<K extends CommandName> = Outcome<CommandOutput<K>>;
