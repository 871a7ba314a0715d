import { BASE_PATH, OPERATIONS, type Operation, type OperationName, pathParameters } from "../contract/operations.ts";

/** A call as it goes over the wire, without what every call carries. */
export interface WireRequest {
  readonly method: Operation["method"];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/**
 * Distributes a flat input over path, query, headers and body, as the operations table says.
 *
 * @throws TypeError when a path parameter is missing, or when the operation has no parameter of a given name.
 */
export function buildRequest(
  baseUrl: string,
  name: OperationName,
  input: Readonly<Record<string, unknown>>,
): WireRequest {
  const operation: Operation = OPERATIONS[name];
  const unused = new Map(Object.entries(input).filter(([, value]) => value !== undefined));
  const take = (key: string): unknown => {
    const value = unused.get(key);
    unused.delete(key);
    return value;
  };

  let path: string = operation.path;
  for (const key of pathParameters(operation.path)) {
    const value = take(key);
    if (typeof value !== "string" || value === "") throw new TypeError(`${name} needs ${key}, the id as a text.`);
    path = path.replace(`{${key}}`, encodeURIComponent(value));
  }
  const query = new URLSearchParams();
  for (const key of Object.keys(operation.query?.shape ?? {})) {
    const value = take(key);
    if (value !== undefined) query.set(key, String(value));
  }
  const headers: Record<string, string> = {};
  for (const key of Object.keys(operation.headers?.shape ?? {})) {
    if (key === "accept") continue;
    const value = take(key.replaceAll("-", "_"));
    if (value !== undefined) headers[key] = String(value);
  }
  const body: Record<string, unknown> = {};
  for (const key of Object.keys(operation.body?.shape ?? {})) {
    const value = take(key);
    if (value !== undefined) body[key] = value;
  }
  const [unknown] = unused.keys();
  if (unknown !== undefined) throw new TypeError(`${name} has no parameter ${unknown}.`);

  const search = query.size === 0 ? "" : `?${query}`;
  return {
    method: operation.method,
    url: `${baseUrl}${BASE_PATH}${path}${search}`,
    headers,
    body: operation.body === undefined ? undefined : JSON.stringify(body),
  };
}

/** How long the server was asked to hold its answer back: such a call may take that much longer. */
export function requestedWaitMs(input: Readonly<Record<string, unknown>>): number {
  const preferred = /\bwait\s*=\s*"?(\d{1,9})/i.exec(String(input.prefer ?? ""))?.[1];
  return Math.max(Number(preferred ?? 0) * 1_000, Number(input.block_ms ?? 0));
}
