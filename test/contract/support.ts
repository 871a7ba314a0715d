import type { z } from "zod";

/** The parameter that is refused, as dotted path, or what was read when nothing is. */
export function read(
  schema: z.ZodType | undefined,
  value: unknown,
): { refused?: string; message?: string; value?: unknown } {
  if (schema === undefined) throw new Error("no such part of the operation");
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data };
  const issue = result.error.issues[0];
  return { refused: issue?.path.join(".") ?? "", message: issue?.message ?? "" };
}

export const refusedIn = (schema: z.ZodType | undefined, value: unknown): string | undefined =>
  read(schema, value).refused;

export const accepts = (schema: z.ZodType | undefined, value: unknown): boolean =>
  refusedIn(schema, value) === undefined;

export const HEX = "0123456789abcdef0123456789abcdef";
