const ENCODED = "\u0001";
/** Half of a surrogate pair, which no UTF-8 can carry. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Free text as databases can keep it. JSON may bring a NUL, which ends a text in SQLite and is an error in PostgreSQL, and
 * halves of surrogate pairs, which both would replace; such text is kept as a marked JSON string, all other as it is.
 */
export function writeText(text: string): string {
  const plain = !text.includes("\u0000") && !text.startsWith(ENCODED) && !LONE_SURROGATE.test(text);
  return plain ? text : ENCODED + JSON.stringify(text);
}

export const readText = (stored: string): string =>
  stored.startsWith(ENCODED) ? (JSON.parse(stored.slice(ENCODED.length)) as string) : stored;
