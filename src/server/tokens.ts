import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { LIMITS } from "../contract/limits.ts";
import type { CallerRole } from "../contract/operations.ts";
import { isHandOutLive } from "../core/lease.ts";
import type { TokenRecord } from "../core/records.ts";
import type { Micros } from "../core/time.ts";
import type { Store } from "../storage/store.ts";
import { isWorkToken, type WorkTokenClaim, type WorkTokens } from "./work-tokens.ts";

/** Who calls. */
export interface Principal {
  /** The token's id, or the item of a Work-Token: for the log. */
  readonly tokenId: string;
  readonly role: CallerRole;
  /** The one environment of a worker token or a Work-Token. */
  readonly environmentId: string | null;
  /** What a Work-Token is good for. */
  readonly handOut?: { readonly workId: string; readonly sessionId: string; readonly number: number };
  /** Of the token's secret; `undefined` where nothing has to be looked up again. */
  readonly hash?: string;
}

/** How long an answer of the store about a token is believed: revocation is seen everywhere within this time. */
const TRUST_MS = 1_000;
/** Tokens remembered at once. */
const MAX_CACHED = 10_000;
const SECRET_PREFIX = "cpt_";
/** No token is longer; a longer one is unknown without being hashed. */
const { max: MAX_TOKEN_CHARACTERS } = LIMITS.adminTokenCharacters;

interface Known {
  readonly token: TokenRecord;
  readonly principal: Principal;
  /** By the process's own steady clock, in milliseconds. */
  readonly trustedUntil: number;
  readonly expiresAt: number;
}

export const hashSecret = (secret: string): string => hash("sha256", secret, "hex");

/** 256 random bits: guessing is hopeless, so a fast hash is enough to store it. */
export const newSecret = (): string => SECRET_PREFIX + randomBytes(32).toString("base64url");

export const CONFIGURED_ADMIN: Principal = { tokenId: "configured", role: "admin", environmentId: null };

/** Turns bearer tokens into principals. Secrets are hashed at once and never kept. */
export class Authenticator {
  readonly #store: Store;
  readonly #workTokens: WorkTokens;
  readonly #adminHash: string | undefined;
  readonly #adminLooksLikeWorkToken: boolean;
  readonly #known = new Map<string, Known>();
  /** Questions to the store that are under way, by hash: the calls of a busy token ask it once, not each for itself. */
  readonly #asking = new Map<string, Promise<Principal | undefined>>();
  #usedAt = new Map<string, Micros>();
  /** Goes up whenever a token is forgotten: an answer that was asked for before that may be older than the revocation. */
  #forgotten = 0;

  constructor(store: Store, workTokens: WorkTokens, adminToken: string | undefined) {
    this.#store = store;
    this.#workTokens = workTokens;
    this.#adminHash = adminToken === undefined ? undefined : hashSecret(adminToken);
    this.#adminLooksLikeWorkToken = adminToken !== undefined && isWorkToken(adminToken);
  }

  /** The caller, when that can be told without asking the store; `undefined` when it has to be asked. */
  fromMemory(secret: string): Principal | undefined {
    if (secret.length > MAX_TOKEN_CHARACTERS) return undefined;
    // What looks like a Work-Token is none of the others, unless somebody has chosen such an admin token.
    if (isWorkToken(secret) && !this.#adminLooksLikeWorkToken) return undefined;
    const hashed = hashSecret(secret);
    const known = this.#trusted(hashed);
    if (known === undefined) {
      return this.#adminHash !== undefined && sameHash(hashed, this.#adminHash) ? CONFIGURED_ADMIN : undefined;
    }
    this.#usedAt.set(known.token.id, Date.now() * 1_000);
    return known.principal;
  }

  /**
   * The caller, or `undefined` for a token that is unknown, expired or revoked.
   *
   * @throws StoreUnavailable
   */
  async fromStore(secret: string): Promise<Principal | undefined> {
    if (secret.length > MAX_TOKEN_CHARACTERS) return undefined;
    if (isWorkToken(secret)) return this.#ofHandOut(this.#workTokens.read(secret));
    return this.#askOnce(hashSecret(secret));
  }

  #askOnce(hashed: string): Promise<Principal | undefined> {
    const asking = this.#asking.get(hashed);
    if (asking !== undefined) return asking;
    const asked = this.#ofHash(hashed).finally(() => {
      if (this.#asking.get(hashed) === asked) this.#asking.delete(hashed);
    });
    this.#asking.set(hashed, asked);
    return asked;
  }

  /** Whether a caller whose request goes on for long, such as a stream, may still have it. */
  async stillValid(principal: Principal): Promise<boolean> {
    if (principal.handOut !== undefined) {
      const { workId, number } = principal.handOut;
      return (await this.#ofHandOut({ workId, handOut: number })) !== undefined;
    }
    return principal.hash === undefined || (await this.#ofHash(principal.hash)) !== undefined;
  }

  /**
   * The same for a caller that has waited, of which there may be many with one token: from memory where the store was asked
   * within the last second, and else one question for all of them.
   */
  isStillTrusted(principal: Principal): boolean | Promise<boolean> {
    const { hash } = principal;
    if (hash === undefined) return this.stillValid(principal);
    return this.#trusted(hash) !== undefined || this.#askOnce(hash).then((found) => found !== undefined);
  }

  /** What the store said of a token within the last second, unless the token has ended since. */
  #trusted(hashed: string): Known | undefined {
    const known = this.#known.get(hashed);
    const now = performance.now();
    return known !== undefined && known.trustedUntil >= now && known.expiresAt > now ? known : undefined;
  }

  async #ofHandOut(claim: WorkTokenClaim | undefined): Promise<Principal | undefined> {
    const item = claim && (await this.#store.getWork(claim.workId));
    if (claim === undefined || item === undefined || !isHandOutLive(item, claim.handOut)) return undefined;
    return {
      tokenId: claim.workId,
      role: "hand_out",
      environmentId: item.environmentId,
      handOut: { workId: claim.workId, sessionId: item.sessionId, number: claim.handOut },
    };
  }

  async #ofHash(hashed: string): Promise<Principal | undefined> {
    this.#known.delete(hashed);
    const forgotten = this.#forgotten;
    // The answer may be as old as the question: a second from its arrival could be more than one from a revocation.
    const askedAt = performance.now();
    const token = await this.#store.findToken(hashed);
    if (token === undefined || !sameHash(hashed, token.hash) || token.revokedAt !== null) return undefined;
    // Not asked beside the token: whoever tries out tokens would double what that costs the database.
    const now = await this.#store.now();
    if (token.expiresAt !== null && token.expiresAt <= now) return undefined;
    const principal = { tokenId: token.id, role: token.role, environmentId: token.environmentId, hash: hashed };
    const expiresAt = token.expiresAt === null ? Number.POSITIVE_INFINITY : askedAt + (token.expiresAt - now) / 1_000;
    if (this.#known.size >= MAX_CACHED) this.#known.clear();
    if (this.#forgotten === forgotten) {
      this.#known.set(hashed, { token, principal, trustedUntil: askedAt + TRUST_MS, expiresAt });
    }
    this.#usedAt.set(token.id, now);
    return principal;
  }

  /** Forgets what it knows of a token, so that its revocation holds from the next call on. */
  forget(token: TokenRecord): void {
    this.#forgotten += 1;
    this.#known.delete(token.hash);
    this.#asking.delete(token.hash);
  }

  /** Writes when tokens were last used: once for all uses since the last time. */
  async flushUses(): Promise<void> {
    if (this.#usedAt.size === 0) return;
    const usedAt = this.#usedAt;
    this.#usedAt = new Map();
    try {
      await this.#store.execute("touchTokens", { usedAt });
    } catch (error) {
      this.#usedAt = new Map([...usedAt, ...this.#usedAt]);
      throw error;
    }
  }
}

/** Both are hex SHA-256, so the lengths are equal. */
export const sameHash = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** The token of an `Authorization: Bearer` header, or `undefined`. */
export function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const match = /^Bearer +([^\s]+)$/i.exec(header);
  return match?.[1];
}
