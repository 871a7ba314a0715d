interface Page<Item> {
  readonly data: readonly Item[];
  readonly next_page: string | null;
}

/** Yields the records of all pages. A server that names a page again would make this endless, and is an error. */
export async function* listAll<Item>(
  fetchPage: (page: { page?: string }) => Promise<unknown>,
): AsyncGenerator<Item, void, undefined> {
  let current = (await fetchPage({})) as Page<Item>;
  for (let previous: string | null = null; ; previous = current.next_page) {
    yield* current.data;
    if (current.next_page === null) return;
    if (current.next_page === previous) throw new Error(`The server named page ${previous} as the one after itself.`);
    current = (await fetchPage({ page: current.next_page })) as Page<Item>;
  }
}
