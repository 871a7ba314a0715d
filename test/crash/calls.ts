import { BASE_PATH } from "../../src/contract/operations.ts";
import type { List } from "../../src/contract/shapes.ts";
import type { Answer } from "../support/server.ts";
import { ADMIN_TOKEN } from "./server-process.ts";

export interface Request {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
}

export async function call<T>(url: string, method: string, path: string, request: Request = {}): Promise<Answer<T>> {
  const { body, headers = {}, query = {} } = request;
  const response = await fetch(`${url}${BASE_PATH}${path}?${new URLSearchParams(query)}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as T };
}

/** Everything in a list, page by page. */
export async function readAll<T>(
  url: string,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<T[]> {
  const all: T[] = [];
  let cursor: Record<string, string> = {};
  for (;;) {
    const { body } = await call<List<T>>(url, "GET", path, { query: { limit: "100", ...query, ...cursor } });
    all.push(...body.data);
    if (body.next_page === null) return all;
    cursor = { page: body.next_page };
  }
}
