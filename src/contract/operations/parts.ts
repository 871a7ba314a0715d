/** Parameters that many operations share. */
import type { IdKind } from "../../core/ids.ts";
import { LIMITS } from "../limits.ts";
import { type IntegerRange, idHeader, idParam, integerParam, nameHeader } from "../parameters.ts";

export const cursors = (kind: IdKind) => ({
  page: idParam(kind, "A `next_page` of this list."),
  after_id: idParam(kind, "The records after this one."),
  before_id: idParam(kind, "The page that ends right before this one."),
});
export const limit = (range: IntegerRange, byDefault: number) =>
  integerParam(
    range,
    `Records per page. Default ${byDefault}.${range.capped ? ` More than ${range.max} count as ${range.max}.` : ""}`,
  );
export const pageLimit = { min: 1, max: LIMITS.page.max };

export const workerId = {
  "worker-id": nameHeader("Worker-ID", "A stable name that the worker chose for itself. It is no credential."),
};

export const lastEventId = idHeader("event", "Everything after this event. Left out: only what comes from now on.");
