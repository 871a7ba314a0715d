/** Where a page of a list starts and how much it holds. Cursors are ids; one that names no record is a position. */
export interface PageRequest {
  readonly limit: number;
  readonly order: "ascending" | "descending";
  /** The records after this one, in the list's own order. */
  readonly after?: string | undefined;
  /** The page that ends right before this one, in the list's own order. */
  readonly before?: string | undefined;
}

export interface Page<T> {
  readonly data: readonly T[];
  /** Whether records are left in the direction that was asked for. */
  readonly hasMore: boolean;
}

/** How a store has to read: one bound on the id, a direction, one row more than the page. */
export interface PageScan {
  readonly operator: ">" | "<" | null;
  readonly bound: string | null;
  readonly direction: "ASC" | "DESC";
  readonly rows: number;
}

export function pageScan(request: PageRequest): PageScan {
  const backwards = request.before !== undefined;
  const ascending = (request.order === "ascending") !== backwards;
  const bound = request.before ?? request.after ?? null;
  return {
    operator: bound === null ? null : ascending ? ">" : "<",
    bound,
    direction: ascending ? "ASC" : "DESC",
    rows: request.limit + 1,
  };
}

/**
 * Most bytes of JSON that one page holds, such as payloads of events or the agents of sessions: a page ends early, with
 * more to come, rather than filling the memory. It always holds at least one record, and may exceed this by its last one.
 */
export const PAGE_BYTES = 8 * 1024 * 1024;

/** Makes the page of the rows that a {@link pageScan} brought. */
export function toPage<T>(request: PageRequest, rows: readonly T[], cutShort = false): Page<T> {
  const data = rows.slice(0, request.limit);
  if (request.before !== undefined) data.reverse();
  return { data, hasMore: cutShort || rows.length > request.limit };
}
