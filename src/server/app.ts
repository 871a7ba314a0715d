import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from "fastify";
import { LIMITS } from "../contract/limits.ts";
import { BASE_PATH, OPERATION_NAMES, OPERATIONS, type Operation, type OperationName } from "../contract/operations.ts";
import { type Fault, FaultError, type Outcome, type Refused } from "../core/faults.ts";
import { denied, deniedSession } from "./access.ts";
import { authenticate } from "./admission.ts";
import { sendFault, sendJson } from "./answers.ts";
import { callerOf } from "./caller.ts";
import type { CallsUnderWay } from "./calls-under-way.ts";
import { answerClientError } from "./client-errors.ts";
import { type Call, type Handler, type Services, StreamAnswer } from "./handlers/handler.ts";
import { HANDLERS } from "./handlers/index.ts";
import { parseJson } from "./json.ts";
import type { Logs } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { ServerLimits } from "./options.ts";
import { faultOf, faultOfCall } from "./request-faults.ts";
import { type ParsedRequest, requestParser } from "./requests.ts";
import type { Principal } from "./tokens.ts";

export interface AppParts {
  readonly services: Services;
  readonly metrics: Metrics;
  readonly logs: Logs;
  readonly limits: ServerLimits;
  readonly underWay: CallsUnderWay;
  readonly draining: () => boolean;
}

declare module "fastify" {
  interface FastifyRequest {
    principal: Principal | undefined;
    /** The row of the operations table, or the probe, that this request is for. */
    operation: string;
    /** When its headers were read, by the process's steady clock. */
    receivedAt: number;
  }
}

/**
 * Requests are checked against the operations table. Without this, Fastify loads two schema compilers of its own at each
 * start and never uses them.
 */
const NO_SCHEMA_COMPILERS = {
  compilersFactory: {
    buildValidator: () => neverCalled,
    buildSerializer: () => neverCalled,
  },
};

function neverCalled(): never {
  throw new Error("A route must not have a schema of Fastify's.");
}

const DRAINING: Fault = {
  kind: "unavailable",
  message: "This server is shutting down. Try again.",
  retryAfterSeconds: 1,
};

const NO_HOST: Fault = { kind: "invalid_request", message: "An HTTP/1.1 request has a Host header. Send one." };

/** The HTTP surface: one route for each row of the operations table. */
export function createApp(parts: AppParts): FastifyInstance {
  const { limits } = parts;
  const app = Fastify({
    logger: false,
    schemaController: NO_SCHEMA_COMPILERS,
    genReqId: requestId,
    requestIdHeader: false,
    bodyLimit: LIMITS.bodyBytes,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: "idle",
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    // Node's own answer to a request without a Host has no body; arrive() gives the one that all errors have.
    http: { maxHeaderSize: limits.maxHeaderBytes, headersTimeout: limits.headersTimeoutMs, requireHostHeader: false },
    routerOptions: { maxParamLength: limits.maxHeaderBytes },
    clientErrorHandler: answerClientError,
    frameworkErrors: (_error, request, reply) => {
      // No hook has run for this request.
      reply.header("x-request-id", request.id);
      const missing: Fault = { kind: "not_found", message: "This path does not exist." };
      const answer = (fault: Fault) => sendFault(reply as FastifyReply, request.id, fault);
      afterToken(parts, request as FastifyRequest, () => answer(missing), answer);
    },
  });
  // Node's own answer would be an empty 417; an expectation that nobody knows may as well be ignored.
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  app.server.maxConnections = limits.maxConnections;
  app.decorateRequest("principal", undefined);
  app.decorateRequest("operation", "other");
  app.decorateRequest("receivedAt", 0);
  app.decorateRequest("underWay", false);
  acceptAnyBody(app, limits.maxJsonDepth);
  const answered = observer(parts);
  app.addHook("onRequest", arrive(parts));
  // Not when the answer is through: that would cost two listeners on every response.
  app.addHook("onSend", (request, reply, _payload, done) => {
    // A connection kept for a next request, which would be refused, would hold up the end of the server.
    if (parts.draining() && request.raw.complete) reply.header("connection", "close");
    // Whoever has hung up gets no answer.
    if (!request.raw.socket.destroyed) answered(request, reply.statusCode);
    parts.underWay.end(request);
    done();
  });
  app.setErrorHandler((error, request, reply) => {
    // The rest of the body is read and thrown away: a caller whose connection ends while it sends never sees the answer.
    reply.removeHeader("connection");
    sendFault(reply, request.id, faultOf(error, request, parts.logs.log));
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no ${request.method} ${pathWithoutQuery(request)}. See /openapi.json for what there is.`;
    sendFault(reply, request.id, { kind: "not_found", message });
  });
  for (const name of OPERATION_NAMES) addRoute(app, name, parts, answered);
  return app;
}

const SANE_REQUEST_ID = /^[\x21-\x7e]+$/;

function requestId(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  const sane = typeof given === "string" && given.length <= LIMITS.requestIdCharacters && SANE_REQUEST_ID.test(given);
  return sane ? given : randomUUID();
}

/** The type that every body is taken for. A parser under its very name is found at once, one for all types is searched. */
const ANY_TYPE = "application/json";

/** Bodies are JSON whatever the content type says, and an empty one is no body. */
function acceptAnyBody(app: FastifyInstance, maxDepth: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([ANY_TYPE, "*"], { parseAs: "buffer" }, (_request, body, done) => {
    const parsed = parseJson(body as Buffer, maxDepth);
    if (parsed.refused) done(new FaultError(parsed.refused));
    else done(null, parsed.value);
  });
}

function arrive(parts: AppParts): onRequestHookHandler {
  return (request, reply, done) => {
    request.receivedAt = performance.now();
    const { headers } = request;
    // A type that is no type would be refused before a parser is asked.
    if (headers["content-type"] !== undefined) headers["content-type"] = ANY_TYPE;
    reply.header("x-request-id", request.id);
    if (headers.host === undefined && request.raw.httpVersion === "1.1") {
      sendFault(reply, request.id, NO_HOST);
      return;
    }
    // A stop does not wait for what comes after it: those who ask again and again would hold it up.
    if (!parts.draining()) parts.underWay.begin(request);
    else if (request.url.startsWith(BASE_PATH)) {
      sendFault(reply.header("connection", "close"), request.id, DRAINING);
      return;
    }
    if (request.is404) afterToken(parts, request, done, (fault) => sendFault(reply, request.id, fault));
    else done();
  };
}

const BELOW_BASE_PATH = new RegExp(`^${BASE_PATH}(?:[/?]|$)`);

/** Below the base path no token is a 401 whatever else is wrong, also where there is nothing. */
function afterToken(
  { services, logs }: AppParts,
  request: FastifyRequest,
  next: () => void,
  answer: (fault: Fault) => void,
): void {
  const settle = (refused: Refused | undefined): void => (refused === undefined ? next() : answer(refused.refused));
  const refused = BELOW_BASE_PATH.test(request.url) ? authenticate(services.tokens, request) : undefined;
  if (refused instanceof Promise) refused.then(settle).catch((error) => answer(faultOf(error, request, logs.log)));
  else settle(refused);
}

/** Called for each request once its answer is there: what is counted and logged of it. */
type Answered = (request: FastifyRequest, status: number) => void;

function observer({ metrics, logs }: AppParts): Answered {
  return (request, status) => {
    const ms = performance.now() - request.receivedAt;
    metrics.requests.observe(request.operation, status, ms / 1_000);
    logs.requestLog(status)?.write({
      requestId: request.id,
      method: request.method,
      path: pathWithoutQuery(request),
      operation: request.operation,
      status,
      ms,
      caller: request.principal?.tokenId,
    });
  };
}

function addRoute(
  app: FastifyInstance,
  name: OperationName,
  { services, underWay, logs: { log } }: AppParts,
  answered: Answered,
): void {
  const operation: Operation = OPERATIONS[name];
  const handler = HANDLERS[name] as Handler<OperationName>;
  const parse = requestParser(operation);
  const workApi = operation.path.includes("/work");
  app.route({
    method: operation.method,
    url: BASE_PATH + operation.path.replace(/\{(\w+)\}/g, ":$1"),
    onRequest: (request, reply, next) => {
      request.operation = name;
      const settle = (refused: Refused | undefined): void => {
        if (refused === undefined) next();
        else sendFault(reply, request.id, refused.refused, workApi);
      };
      const refused = admit(request);
      if (refused instanceof Promise) refused.then(settle, next);
      else settle(refused);
    },
    handler: (request, reply) => {
      const parsed = parse({
        path: pathOf(request),
        query: request.query as Record<string, unknown>,
        headers: request.headers,
        body: request.body,
      });
      if (parsed.refused) sendFault(reply, request.id, parsed.refused, workApi);
      else serve(parsed.value, request, reply);
    },
  });

  /** Never rejects. */
  async function serve(parsed: ParsedRequest, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      respond(request, reply, await run(parsed, request, reply));
    } catch (error) {
      sendFault(reply, request.id, faultOfCall(error, request, log, operation), workApi);
    }
  }

  /** 401 and 403, before the body is read. A promise only where the store has to be asked, which is seldom. */
  function admit(request: FastifyRequest): undefined | Refused | Promise<Refused | undefined> {
    const refused = authenticate(services.tokens, request);
    if (refused instanceof Promise) return refused.then((late) => late ?? allow(request));
    return refused ?? allow(request);
  }

  function allow(request: FastifyRequest): undefined | Refused | Promise<Refused | undefined> {
    const principal = request.principal as Principal;
    const path = pathOf(request);
    return denied(operation, principal, path) ?? deniedSession(services.store, principal, path.session_id);
  }

  function run(parsed: ParsedRequest, request: FastifyRequest, reply: FastifyReply): Promise<Outcome<unknown>> {
    return handler({
      path: parsed.path,
      query: parsed.query,
      headers: parsed.headers,
      body: parsed.body,
      services,
      principal: request.principal as Principal,
      caller: callerOf(request, reply),
      setHeader: (header: string, value: string) => void reply.header(header, value),
    } as unknown as Call<OperationName>);
  }

  function respond(request: FastifyRequest, reply: FastifyReply, outcome: Outcome<unknown>): void {
    if (outcome.refused) sendFault(reply, request.id, outcome.refused, workApi);
    else if (outcome.value instanceof StreamAnswer) {
      reply.hijack();
      // A stop ends streams and does not wait for their readers, who come back to where they were.
      underWay.end(request);
      reply.raw.once("close", () => answered(request, reply.raw.statusCode));
      outcome.value.start(reply.raw, request.id);
    } else sendJson(reply, 200, outcome.value);
  }
}

function pathWithoutQuery({ url }: FastifyRequest): string {
  const end = url.indexOf("?");
  return end < 0 ? url : url.slice(0, end);
}

const pathOf = (request: FastifyRequest): Record<string, string> => request.params as Record<string, string>;
