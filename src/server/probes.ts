import type { FastifyInstance, RouteShorthandOptions } from "fastify";
import { openApiDocument } from "../contract/openapi.ts";
import type { Store } from "../storage/store.ts";
import { sendFault, sendJson } from "./answers.ts";
import type { Metrics } from "./metrics.ts";
import { bearerToken, hashSecret, sameHash } from "./tokens.ts";

export interface ProbeParts {
  readonly store: Store;
  readonly metrics: Metrics;
  readonly version: string;
  readonly metricsToken: string | undefined;
  readonly draining: () => boolean;
}

const probe = (operation: string): RouteShorthandOptions => ({
  // Many monitors ask without wanting the body.
  exposeHeadRoute: true,
  onRequest: (request, _reply, done) => {
    request.operation = operation;
    done();
  },
});

/** What sits outside of the API, for load balancers, monitors and tools. None of it shows data. */
export function addProbes(app: FastifyInstance, parts: ProbeParts): void {
  const { store, metrics, version, draining } = parts;
  // Made when it is first asked for: it takes a noticeable part of the time that a server needs to start.
  let document: string | undefined;
  const metricsHash = parts.metricsToken === undefined ? undefined : hashSecret(parts.metricsToken);

  app.get("/healthz", probe("healthz"), (_request, reply) => {
    sendJson(reply, 200, { status: "ok", version });
  });

  app.get("/readyz", probe("readyz"), async (_request, reply) => {
    if (draining()) {
      sendJson(reply.header("retry-after", "1"), 503, { status: "draining", version });
      return reply;
    }
    try {
      const { kind, schema } = await store.ready();
      sendJson(reply, 200, { status: "ready", version, store: kind, schema });
    } catch {
      sendJson(reply.header("retry-after", "1"), 503, { status: "store_unavailable", version });
    }
    return reply;
  });

  app.get("/openapi.json", probe("openapi"), (_request, reply) => {
    document ??= JSON.stringify(openApiDocument(version));
    reply.header("content-type", "application/json; charset=utf-8").send(document);
  });

  app.get("/metrics", probe("metrics"), async (request, reply) => {
    if (metricsHash !== undefined) {
      const token = bearerToken(request.headers.authorization);
      if (token === undefined || !sameHash(hashSecret(token), metricsHash)) {
        sendFault(reply, request.id, { kind: "unauthenticated", message: "Send the metrics token as a bearer token." });
        return reply;
      }
    }
    reply.header("content-type", metrics.contentType).send(await metrics.text());
    return reply;
  });
}
