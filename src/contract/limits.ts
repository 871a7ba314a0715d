/** Sizes that the contract names, and those that it leaves to the server. Everything that a caller can make grow is here. */
export const LIMITS = {
  /** Largest request body; a larger one is a 400. */
  bodyBytes: 32 * 1024 * 1024,
  /** Values in a request body, in arrays and objects of any depth; more are a 400. */
  bodyValues: 250_000,
  /** Levels of JSON in a request that a server can be told to take. SQLite reads no more: https://www.sqlite.org/json1.html */
  jsonDepth: { min: 8, max: 1_000 },
  /** Characters of a caller's `x-request-id`. */
  requestIdCharacters: 128,
  /** Characters of a `Worker-ID`, and of an `Idempotency-Key`. */
  workerIdCharacters: 256,
  nameCharacters: 256,
  descriptionCharacters: 4_096,
  /** Characters of an environment's `setup_script`. */
  setupScriptCharacters: 65_536,
  /** Characters of an agent's `system`. */
  systemCharacters: 262_144,
  /** Characters of an agent's fields, and of an environment's config, as JSON: every session keeps its agent as it was. */
  freeFormCharacters: 1_048_576,
  /** Tools, servers or skills of one agent. */
  agentParts: 256,
  /** Events in one call of send, and at session creation. */
  eventsPerCall: 1_000,
  initialEvents: 50,
  /** Blocks in the content of one event. */
  blocksPerEvent: 10_000,
  /** A page, where nothing else is said; the events of a session tolerate more. */
  page: { default: 20, max: 100 },
  eventsPage: { default: 20, max: 1_000 },
  /** `block_ms` of a poll. */
  blockMs: { min: 1, max: 999 },
  /** `Prefer: wait=N` on a poll, in seconds. */
  preferWaitSeconds: { min: 1, max: 60 },
  /** `delay_ms` of a release: a day. */
  releaseDelayMs: 86_400_000,
  /** The admin token that an installation is started with: a shorter one could be guessed, a longer one is no token. */
  adminTokenCharacters: { min: 32, max: 4_096 },
  /** `expires_in_seconds` of a token: ten years. */
  tokenLifetimeSeconds: 315_360_000,
  queue: {
    maxAttempts: { min: 0, max: 1_000, default: 5 },
    drainSeconds: { min: 1, max: 86_400, default: 600 },
    startSeconds: { min: 1, max: 3_600, default: 60 },
  },
} as const;
