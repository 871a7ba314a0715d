/** Most calls under way at once: enough to keep the server busy, few enough for any number of calls to be asked for. */
const AT_ONCE = 16;

/** Runs over all items, some at a time. The first failure fails the whole. */
export async function inChunks<T>(items: readonly T[], run: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      await run(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, runner));
}
