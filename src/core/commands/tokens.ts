import { done, refuse } from "../faults.ts";
import type { TokenRecord, TokenRole } from "../records.ts";
import { type Micros, secondsToMicros } from "../time.ts";
import { define, findQueue } from "./command.ts";

export interface CreateTokenInput {
  readonly name: string;
  readonly role: TokenRole;
  readonly environmentId: string | null;
  readonly hash: string;
  readonly expiresInSeconds: number | null;
}

export const createToken = define<CreateTokenInput, TokenRecord>({
  needs(input, needs) {
    if (input.environmentId !== null) needs.environments.add(input.environmentId);
  },
  apply(unit, input) {
    const { expiresInSeconds, ...fields } = input;
    if (input.environmentId !== null) {
      const found = findQueue(unit, input.environmentId);
      if (found.refused) return found;
    }
    const record: TokenRecord = {
      id: unit.newId("token"),
      ...fields,
      createdAt: unit.now,
      expiresAt: expiresInSeconds === null ? null : unit.now + secondsToMicros(expiresInSeconds),
      revokedAt: null,
      lastUsedAt: null,
    };
    unit.putToken(record, true);
    return done(record);
  },
});

export const revokeToken = define<{ readonly tokenId: string }, TokenRecord>({
  needs: (input, needs) => void needs.tokens.add(input.tokenId),
  apply(unit, input) {
    const token = unit.token(input.tokenId);
    if (token === undefined || token.revokedAt !== null) {
      return refuse("not_found", `Token ${input.tokenId} does not exist, or is revoked already.`);
    }
    const next = { ...token, revokedAt: unit.now };
    unit.putToken(next);
    return done(next);
  },
});

/** Notes when tokens were last used: many uses, one write. */
export const touchTokens = define<{ readonly usedAt: ReadonlyMap<string, Micros> }, number>({
  needs(input, needs) {
    for (const id of input.usedAt.keys()) needs.tokens.add(id);
  },
  apply(unit, input) {
    let touched = 0;
    for (const [id, at] of input.usedAt) {
      const token = unit.token(id);
      if (token === undefined || (token.lastUsedAt ?? 0) >= at) continue;
      unit.putToken({ ...token, lastUsedAt: at });
      touched += 1;
    }
    return done(touched);
  },
});
