/** What callers send, as schemas. Keys that are not named here are ignored, except inside events, which are kept whole. */
import { z } from "zod";
import { eventKind, USER_EVENT_TYPES } from "../core/event-types.ts";
import { TOKEN_ROLES } from "../core/records.ts";
import { blocks, someBlocks } from "./blocks.ts";
import { LIMITS } from "./limits.ts";
import { bodyId, bodyInteger, metadata, metadataPatch, text } from "./parameters.ts";

const queueConfig = z
  .object(
    {
      max_attempts: bodyInteger(LIMITS.queue.maxAttempts).optional(),
      drain_seconds: bodyInteger(LIMITS.queue.drainSeconds).optional(),
      start_seconds: bodyInteger(LIMITS.queue.startSeconds).optional(),
    },
    "must be an object",
  )
  .meta({
    description: `Defaults: max_attempts ${LIMITS.queue.maxAttempts.default} (0: no limit), drain_seconds ${LIMITS.queue.drainSeconds.default}, start_seconds ${LIMITS.queue.startSeconds.default}.`,
  });

/** What callers may fill with whatever they like is bounded as a whole: it is kept, and read again, as one row. */
const bounded = <T extends z.ZodType<object>>(schema: T) =>
  schema.superRefine((value, context) => {
    if (JSON.stringify(value).length <= LIMITS.freeFormCharacters) return;
    const sizes = Object.entries(value).map(([key, part]) => ({ key, size: JSON.stringify(part)?.length ?? 0 }));
    const { key } = sizes.reduce((a, b) => (b.size > a.size ? b : a));
    const message = `is too large: all fields together may have ${LIMITS.freeFormCharacters} characters as JSON`;
    context.addIssue({ code: "custom", path: [key], message });
  });

const selfHosted = z.looseObject({
  type: z.literal("self_hosted"),
  setup_script: text(LIMITS.setupScriptCharacters)
    .meta({ description: "Shell script that each worker runs once before its first session." })
    .nullish(),
  queue: queueConfig.optional(),
});
const cloud = z.looseObject({ type: z.literal("cloud") });

export const environmentConfig = bounded(
  z.discriminatedUnion("type", [selfHosted, cloud], {
    error: (issue) =>
      typeof issue.input === "object" && issue.input !== null && !Array.isArray(issue.input)
        ? "must be self_hosted or cloud"
        : 'must be an object such as {"type":"self_hosted"}',
  }),
);
export type EnvironmentConfigBody = z.output<typeof environmentConfig>;

/**
 * One without a type is of the environment's own type, and is judged when that is known. An empty one is refused: since a
 * config is replaced as a whole, it would erase the old one without naming anything.
 */
const configChange = z
  .looseObject({ type: z.string().optional() }, "must be an object")
  .refine((value) => Object.keys(value).length > 0, "must not be empty; leave it out to keep it as it is")
  .superRefine((value, context) => {
    if (value.type === undefined) return;
    for (const { path, message } of environmentConfig.safeParse(value).error?.issues ?? []) {
      context.addIssue({ code: "custom", path: [...path], message });
    }
  });

const name = text(LIMITS.nameCharacters, { min: 1 });
const description = text(LIMITS.descriptionCharacters);

export const createEnvironmentBody = z.object({
  name,
  description: description.nullish(),
  config: environmentConfig.meta({ description: 'Left out: `{"type":"cloud"}`, which has no queue here.' }).optional(),
  metadata: metadata.optional(),
});

export const updateEnvironmentBody = z.object({
  name: name.optional(),
  description: description.nullish(),
  config: configChange.meta({ description: "Replaces the whole config; its type cannot change." }).optional(),
  metadata: metadataPatch.optional(),
});

const model = z.union(
  [text(LIMITS.nameCharacters, { min: 1 }), z.looseObject({ id: text(LIMITS.nameCharacters, { min: 1 }) })],
  {
    error: 'must be the name of a model, or an object such as {"id":"…"}',
  },
);
const parts = (what: string) =>
  z
    .array(z.looseObject({}, "must be an object"), `must be an array of ${what}`)
    .max(LIMITS.agentParts, `may hold at most ${LIMITS.agentParts} ${what}`);

const agentFields = {
  name,
  model,
  system: text(LIMITS.systemCharacters).nullable(),
  description: description.nullable(),
  tools: parts("tools"),
  mcp_servers: parts("servers"),
  skills: parts("skills"),
};

export const createAgentBody = bounded(
  z.object({
    ...z.object(agentFields).partial().shape,
    name,
    model,
    metadata: metadata.optional(),
  }),
);

export const updateAgentBody = bounded(
  z.object({
    version: bodyInteger({ min: 1, max: Number.MAX_SAFE_INTEGER }).meta({
      description: "The newest version, as you have seen it; with another one the update is refused.",
    }),
    ...z.object(agentFields).partial().shape,
    metadata: metadataPatch.optional(),
  }),
);

const agentReference = z.union(
  [
    bodyId("agent"),
    z.object({
      type: z.literal("agent"),
      id: bodyId("agent"),
      version: bodyInteger({ min: 1, max: Number.MAX_SAFE_INTEGER }).optional(),
    }),
  ],
  { error: 'must be the id of an agent, or {"type":"agent","id":"agent_…","version":1}' },
);

/** What an event of each type has to carry. Types without an entry may carry anything. */
export const EVENT_PAYLOADS: Readonly<Record<string, z.ZodType>> = {
  "user.message": z.looseObject({ content: someBlocks }),
  "system.message": z.looseObject({ content: someBlocks }),
  "user.tool_confirmation": z.looseObject({
    tool_use_id: bodyId("event"),
    result: z.enum(["allow", "deny"], "must be allow or deny"),
  }),
  "user.custom_tool_result": z.looseObject({ custom_tool_use_id: bodyId("event"), content: blocks.optional() }),
  "user.tool_result": z.looseObject({ tool_use_id: bodyId("event"), content: blocks.optional() }),
  "user.define_outcome": z.looseObject({ description: text(LIMITS.bodyBytes, { min: 1 }) }),
  "agent.message": z.looseObject({ content: blocks }),
  "session.error": z.looseObject({
    error: z.looseObject({ message: z.string("must be a string") }, "must be an object"),
  }),
};

export const event = z
  .looseObject({ type: z.string("must be an event type, such as user.message") }, "must be an object")
  .superRefine((value, context) => {
    const kind = eventKind(value.type);
    if (kind === undefined || kind.sender === "server") {
      const expected = `must be one of ${USER_EVENT_TYPES.join(", ")}, or, from the worker, user.tool_result, session.error, agent.* or span.*`;
      context.addIssue({ code: "custom", path: ["type"], message: expected });
      return;
    }
    const checked = EVENT_PAYLOADS[value.type]?.safeParse(value);
    for (const issue of checked?.error?.issues ?? []) {
      context.addIssue({ code: "custom", path: [...issue.path], message: issue.message });
    }
  });

export const sendEventsBody = z.object({
  events: z
    .array(event, "must be a non-empty array of events")
    .min(1, "must be a non-empty array of events")
    .max(LIMITS.eventsPerCall, `may hold at most ${LIMITS.eventsPerCall} events`),
});

const nothing = (what: string) =>
  z
    .unknown()
    .refine((value) => value == null || (typeof value === "object" && Object.keys(value).length === 0), {
      message: `is not available on a self_hosted environment: ${what}`,
    })
    .meta({ description: `Empty, or left out: ${what}.` })
    .optional();

export const createSessionBody = z.object({
  environment_id: bodyId("environment"),
  agent: agentReference.nullish(),
  title: text(LIMITS.nameCharacters).nullish(),
  metadata: metadata.optional(),
  initial_events: z
    .array(event, "must be an array of events")
    .max(LIMITS.initialEvents, `may hold at most ${LIMITS.initialEvents} events`)
    .meta({
      description:
        "Events of users, sent with the creation; whatever their types, they give the session something to do.",
    })
    .optional(),
  resources: nothing("mount files on the worker's machine instead"),
  environment_variables: nothing("set them where the worker runs instead"),
  vault_ids: nothing("give the worker its secrets on its own machine instead"),
});

export const updateSessionBody = z.object({
  title: text(LIMITS.nameCharacters).nullish(),
  metadata: metadataPatch.optional(),
});

export const updateWorkBody = z.object({ metadata: metadataPatch.optional() });

export const stopWorkBody = z.object({
  force: z
    .boolean("must be true or false")
    .meta({ description: "The end at once, without waiting for the worker. Default false." })
    .optional(),
  processed_through: bodyId("event")
    .meta({
      description:
        "The last event that the worker has dealt with: input after it gets a new item. Left out: what came before the ack counts as dealt with, and all of it when an `agent.*` event follows. Extension.",
    })
    .optional(),
});

export const releaseWorkBody = z.object({
  reason: text(LIMITS.descriptionCharacters).meta({ description: "Why, for whoever follows the session." }).optional(),
  delay_ms: bodyInteger({ min: 0, max: LIMITS.releaseDelayMs })
    .meta({ description: "How long nobody shall take it. Default 0." })
    .optional(),
});

export const createTokenBody = z
  .object({
    name,
    role: z.enum(TOKEN_ROLES, `must be one of ${TOKEN_ROLES.join(", ")}`),
    environment_id: bodyId("environment")
      .meta({ description: "For role worker, and required there: the one environment that it may reach." })
      .nullish(),
    expires_in_seconds: bodyInteger({ min: 1, max: LIMITS.tokenLifetimeSeconds })
      .meta({ description: "Left out: it does not expire." })
      .nullish(),
  })
  .superRefine((value, context) => {
    const bound = value.environment_id !== undefined && value.environment_id !== null;
    if ((value.role === "worker") === bound) return;
    const message = bound
      ? "only goes with role worker"
      : "is required for role worker, which is bound to one environment";
    context.addIssue({ code: "custom", path: ["environment_id"], message });
  });
