import { done, type Outcome, refuse } from "./faults.ts";
import type { Metadata } from "./records.ts";

/** Limits of the contract. Lengths count Unicode characters (code points), not UTF-16 units. */
export const METADATA_LIMITS = { keys: 16, keyCharacters: 64, valueCharacters: 512 } as const;

export type MetadataPatch = Readonly<Record<string, string | null>>;

/** Whether the text has at most `limit` code points, without counting the rest of a huge one. */
export function fitsCharacters(text: string, limit: number): boolean {
  if (text.length <= limit) return true;
  if (text.length > limit * 2) return false;
  let count = 0;
  for (const _ of text) if (++count > limit) return false;
  return true;
}

/** A string sets a key, `null` removes it, everything else stays. The limits hold for the result. */
export function mergeMetadata(current: Metadata, patch: MetadataPatch | undefined): Outcome<Metadata> {
  if (patch === undefined) return done(current);
  const merged = new Map(Object.entries(current));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, value);
  }
  if (merged.size > METADATA_LIMITS.keys) {
    return refuse(
      "invalid_request",
      `metadata would have ${merged.size} keys; at most ${METADATA_LIMITS.keys} are allowed.`,
      "metadata",
    );
  }
  return done(Object.fromEntries(merged));
}
