import { randomFillSync } from "node:crypto";

/** Random bytes as hex, drawn in bulk: one system call per few hundred ids. */
export function randomHex(): (bytes: number) => string {
  const pool = Buffer.alloc(4_096);
  let used = pool.length;
  return (bytes) => {
    if (used + bytes > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += bytes;
    return pool.toString("hex", used - bytes, used);
  };
}
