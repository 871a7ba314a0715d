import type { Reach } from "./hand-out.ts";
import type { LeaseNews, LeaseTerms } from "./lease.ts";

/** What the keeper thread is started with. */
export interface KeeperSetup extends Reach {
  readonly environmentId: string;
}

/** Of whom a lease is. Its token is handed over in memory: arguments and variables can be read by others. */
export interface LeaseHolder {
  readonly workId: string;
  /** Of the hand-out. */
  readonly token: string;
}

/** To the thread. `lease` names one hand-out: the same item may come back to the same worker. */
export type KeeperOrder =
  | { readonly type: "hold"; readonly lease: number; readonly holder: LeaseHolder; readonly terms: LeaseTerms }
  | { readonly type: "drop"; readonly lease: number };

/** From the thread. */
export type KeeperReport =
  | { readonly type: "ready" }
  | { readonly type: "news"; readonly lease: number; readonly news: LeaseNews };

/** Milliseconds on a clock that all threads of this process share and that no operator can set. */
export const sharedNowMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
