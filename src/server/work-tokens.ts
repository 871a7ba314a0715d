import { createHmac, timingSafeEqual } from "node:crypto";
import { ID_PREFIXES, isId } from "../core/ids.ts";
import type { WorkRecord } from "../core/records.ts";

/** The name of the store's key that signs Work-Tokens. */
export const WORK_TOKEN_KEY = "work_token";

const PREFIX = "cwt_";
const SHAPE = /^cwt_([0-9a-f]{32})_([1-9]\d{0,14})_([A-Za-z0-9_-]{43})$/;

export interface WorkTokenClaim {
  readonly workId: string;
  readonly handOut: number;
}

/**
 * Credentials for one hand-out of one item. They are signed, not stored: what they are good for is read from the item
 * itself, so that they die with the hand-out without anybody revoking them.
 */
export class WorkTokens {
  readonly #key: Buffer;

  /** @param key hex, the same on every replica */
  constructor(key: string) {
    this.#key = Buffer.from(key, "hex");
  }

  issue(item: WorkRecord): string {
    const name = `${item.id.slice(ID_PREFIXES.work.length)}_${item.handOut}`;
    return `${PREFIX}${name}_${this.#sign(name)}`;
  }

  /** What the token claims, when it is one of ours; whether that hand-out still goes on is for the caller to see. */
  read(token: string): WorkTokenClaim | undefined {
    const [, hex, handOut, signature] = SHAPE.exec(token) ?? [];
    const workId = ID_PREFIXES.work + hex;
    if (signature === undefined || !isId("work", workId)) return undefined;
    // As text, which both have 43 characters of: decoded, four texts would stand for one signature.
    if (!timingSafeEqual(Buffer.from(signature), Buffer.from(this.#sign(`${hex}_${handOut}`)))) return undefined;
    return { workId, handOut: Number(handOut) };
  }

  #sign(name: string): string {
    return createHmac("sha256", this.#key).update(name).digest("base64url");
  }
}

export const isWorkToken = (secret: string): boolean => secret.startsWith(PREFIX);
