import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { errorBody } from "./answers.ts";

/** What Node reports about bytes that make no request; anything else is malformed HTTP. */
const PROBLEMS: Readonly<Record<string, { status: string; message: string }>> = {
  HPE_HEADER_OVERFLOW: { status: "400 Bad Request", message: "The headers of the request are too large." },
  ERR_HTTP_REQUEST_TIMEOUT: { status: "408 Request Timeout", message: "The request did not arrive in time." },
};
const MALFORMED = { status: "400 Bad Request", message: "The request is not well-formed HTTP." };

/** Answers, in the shape of every error, what never became a request. The connection ends: nothing on it can be trusted. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, message } = PROBLEMS[error.code ?? ""] ?? MALFORMED;
  const requestId = randomUUID();
  const body = JSON.stringify(errorBody(requestId, { kind: "invalid_request", message }));
  const headers = [
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    "connection: close",
  ];
  socket.end(`HTTP/1.1 ${status}\r\n${headers.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}
