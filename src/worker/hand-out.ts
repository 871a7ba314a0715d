import { CapstanClient } from "../client/client.ts";
import type { Work } from "../contract/shapes.ts";

export interface HandOut {
  readonly work: Work;
  /** Good for this item and its session, until the hand-out is over. */
  readonly token: string;
  /** Acts with that token: whatever a session does, it can only be done to itself. */
  readonly client: CapstanClient;
}

export interface Reach {
  readonly baseUrl: string;
  readonly userAgent: string;
}

export const handOut = (work: Work, token: string, reach: Reach): HandOut => ({
  work,
  token,
  client: new CapstanClient({ ...reach, token }),
});
