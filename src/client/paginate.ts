interface Page<Item> {
  readonly data: readonly Item[];
  readonly next_page: string | null;
}

/** Yields the records of all pages. A server that names a page again would make this endless, and is an error. */
export async function* listAll<Item>(
  fetchPage: (page: { page?: string }) => Promise<unknown>,
): AsyncGenerator<Item, void, undefined> {
  let position: string | null = null;
  do {
    const page = (await fetchPage(position === null ? {} : { page: position })) as Page<Item>;
    yield* page.data;
    if (page.next_page !== null && page.next_page === position) {
      throw new Error(`The server named page ${position} as the one after itself.`);
    }
    position = page.next_page;
  } while (position !== null);
}
