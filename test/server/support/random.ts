/** Numbers from 0 to 1 that one seed gives again and again (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run: a new one each time, or that of `CAPSTAN_TEST_SEED`, to run again what failed. */
export const testSeed = (): number => Number(process.env.CAPSTAN_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));
