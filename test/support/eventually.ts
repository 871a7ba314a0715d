/**
 * Repeats a check until it passes, and fails with the check's own error when it does not within the time. For effects that
 * another process, thread or socket brings about: how long they take never decides a test, only whether they come.
 */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = 15_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (failure) {
      if (performance.now() > deadline) throw failure;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
