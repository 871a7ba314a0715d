import type { CapstanClient } from "../../client/index.ts";
import type { OperationName } from "../../contract/operations.ts";
import type { IdKind } from "../../core/ids.ts";
import { connect } from "../connection.ts";
import type { Io } from "../io.ts";
import { command, type Example } from "../spec.ts";
import { CALL_EXITS, idArgument, JSON_OPTION, showOne } from "./shared.ts";

interface AboutOne<T> {
  readonly path: string;
  readonly summary: string;
  /** What the argument names. */
  readonly kind: IdKind;
  /** About the argument, where "Its id." does not say enough. */
  readonly argument?: string;
  readonly call: OperationName;
  readonly example: Example;
  readonly view: (io: Io, one: T) => string;
  readonly run: (client: CapstanClient, id: string) => Promise<T>;
}

/** A command that takes an id, makes one call about what it names, and shows the answer. */
export const aboutOne = <T>({ kind, argument = "Its id.", call, example, view, run, ...rest }: AboutOne<T>) =>
  command({
    ...rest,
    group: "client",
    calls: [call],
    arguments: { id: idArgument(kind, kind, argument) },
    options: JSON_OPTION,
    examples: [example],
    exits: CALL_EXITS,
    async run({ settings, options, arguments: { id }, io }) {
      return showOne(io, options, await run(connect(settings).client, id), view);
    },
  });

export const deleted = (_io: Io, { id }: { readonly id: string }): string => `Deleted ${id}.\n`;
