import { ApiError, type ConnectionError, unusableAnswer } from "./errors.ts";

/** Largest answer that is read: twice the largest request. A longer one is not from this API, or a list page too many. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/** The value of a 2xx answer. Throws {@link ApiError} for every other one. */
export async function readAnswer(response: Response, host: string): Promise<unknown> {
  const text = await readText(response, host);
  const parsed = parse(text);
  if (!response.ok) throw apiError(response, host, parsed);
  if (parsed === undefined) throw unusableAnswer(host, "it is not JSON");
  return parsed.value;
}

async function readText(response: Response, host: string): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > MAX_RESPONSE_BYTES) {
      await reader.cancel();
      throw tooLong(host);
    }
    text += decoder.decode(value, { stream: true });
  }
}

const tooLong = (host: string): ConnectionError =>
  unusableAnswer(host, `it is longer than ${MAX_RESPONSE_BYTES / 1024 / 1024} MB`);

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function apiError(response: Response, host: string, parsed: { value: unknown } | undefined): ApiError {
  const body = asObject(parsed?.value);
  const error = asObject(body.error);
  const shouldRetry = response.headers.get("x-should-retry");
  return new ApiError(asText(error.message) ?? `${host} answered with HTTP status ${response.status} and no reason.`, {
    status: response.status,
    type: asText(error.type) ?? "http_error",
    param: asText(error.param),
    requestId: asText(body.request_id) ?? response.headers.get("x-request-id") ?? undefined,
    retryAfterSeconds: retryAfterSeconds(response.headers.get("retry-after")),
    shouldRetry: shouldRetry === null ? undefined : shouldRetry !== "false",
  });
}

const asText = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const asObject = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

/** `Retry-After` in either of its forms: seconds, or a date. */
export function retryAfterSeconds(header: string | null, now: number = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1_000);
}
