import type { Io } from "../io.ts";
import { paint } from "./colour.ts";
import { oneLine } from "./printable.ts";

/** A remark for whoever watches, beside the results. */
export const note = (io: Io, text: string): void => io.err.write(`${paint(io.err, "dim", oneLine(text))}\n`);
