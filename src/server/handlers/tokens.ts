import { acceptPage } from "../../contract/accept.ts";
import { presentCreatedToken, presentPage, presentToken } from "../../contract/present.ts";
import { done } from "../../core/faults.ts";
import { hashSecret, newSecret } from "../tokens.ts";
import { answer, type Handler } from "./handler.ts";

const createToken: Handler<"createToken"> = async ({ body, services: { store } }) => {
  const secret = newSecret();
  const outcome = await store.execute("createToken", {
    name: body.name,
    role: body.role,
    environmentId: body.environment_id ?? null,
    hash: hashSecret(secret),
    expiresInSeconds: body.expires_in_seconds ?? null,
  });
  return answer(outcome, (token) => presentCreatedToken(token, secret));
};

const listTokens: Handler<"listTokens"> = async ({ query, services: { store } }) =>
  done(presentPage(await store.listTokens(acceptPage(query, "descending")), presentToken));

const revokeToken: Handler<"revokeToken"> = async ({ path, services: { store, tokens } }) => {
  const outcome = await store.execute("revokeToken", { tokenId: path.token_id });
  if (!outcome.refused) tokens.forget(outcome.value);
  return answer(outcome, (token) => ({ id: token.id, type: "token_deleted" as const }));
};

export const tokenHandlers = { createToken, listTokens, revokeToken };
