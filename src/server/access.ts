import type { Operation } from "../contract/operations.ts";
import { type Refused, refuse } from "../core/faults.ts";
import type { Store } from "../storage/store.ts";
import type { Principal } from "./tokens.ts";

/** The 403 of a call, from the token and the path alone: before anything is parsed, so that nothing can be probed. */
export function denied(
  operation: Operation,
  principal: Principal,
  path: Readonly<Record<string, string>>,
): Refused | undefined {
  const { role } = principal;
  if (role === "admin") return undefined;
  if (!operation.roles.includes(role)) {
    return refuse(
      "forbidden",
      `This needs ${allowed(operation)}; yours ${role === "hand_out" ? "is a Work-Token" : `has role ${role}`}.`,
    );
  }
  if (role === "hand_out") return deniedHandOut(principal, path);
  if (role !== "worker" || path.environment_id === undefined || path.environment_id === principal.environmentId) {
    return undefined;
  }
  return refuse("forbidden", "This worker token is bound to another environment.");
}

function allowed({ roles }: Operation): string {
  const named = ["admin", ...roles.filter((role) => role !== "hand_out")].join(" or ");
  return `a token of role ${named}${roles.includes("hand_out") ? ", or the Work-Token of the item" : ""}`;
}

/** A Work-Token reaches its item and the session of that, nothing else. */
function deniedHandOut(
  { environmentId, handOut }: Principal,
  path: Readonly<Record<string, string>>,
): Refused | undefined {
  const { environment_id = environmentId, work_id = handOut?.workId, session_id = handOut?.sessionId } = path;
  if (environment_id === environmentId && work_id === handOut?.workId && session_id === handOut?.sessionId)
    return undefined;
  return refuse("forbidden", "A Work-Token is good for its own work item and the session of that.");
}

/**
 * A worker token reaches only the sessions of its environment. One that does not exist gets the same answer, so that
 * ids cannot be tried out.
 */
export function deniedSession(
  store: Store,
  principal: Principal,
  sessionId: string | undefined,
): undefined | Promise<Refused | undefined> {
  if (principal.role !== "worker" || sessionId === undefined) return undefined;
  return foreignSession(store, principal, sessionId);
}

async function foreignSession(store: Store, principal: Principal, sessionId: string): Promise<Refused | undefined> {
  const session = await store.getSession(sessionId);
  if (session?.environmentId === principal.environmentId) return undefined;
  return refuse("forbidden", `Session ${sessionId} is not one of this worker token's environment.`);
}
