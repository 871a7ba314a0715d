import type { z } from "zod";
import type { Confinement } from "../sandbox/index.ts";

/** Where tools act, and within which bounds. */
export interface ToolScope {
  /** The folder that no path leads out of. Absolute. */
  readonly workspace: string;
  /** Ends what runs. */
  readonly signal: AbortSignal;
  /** All variables of the commands that are run. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly confinement: Confinement;
}

/** A tool as a model is told of it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON Schema. */
  readonly input_schema: Readonly<Record<string, unknown>>;
}

export interface Tool<Input = unknown> {
  readonly name: string;
  readonly description: string;
  readonly schema: z.ZodType<Input>;
  /**
   * @returns what the model reads
   * @throws ToolError with what it reads instead; the signal's reason once that is aborted
   */
  run(input: Input, scope: ToolScope): Promise<string>;
}

/** A tool could not do what it was asked for. The message is for the model: what is wrong, and what to do instead. */
export class ToolError extends Error {}

export const tool = <Input>(definition: Tool<Input>): Tool => definition as Tool;
