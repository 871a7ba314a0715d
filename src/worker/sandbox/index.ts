import { type BubblewrapOptions, bubblewrapPrefix, sandboxVariables } from "./bubblewrap.ts";
import { limiterPrefix, type ResourceLimits } from "./limits.ts";

export const SANDBOXES = ["none", "bwrap"] as const;
export type SandboxName = (typeof SANDBOXES)[number];

export interface Confinement extends ResourceLimits {
  /** `bwrap`: the command runs in namespaces of its own. Default `none`. */
  readonly sandbox?: SandboxName | undefined;
  /** Whether a sandboxed command may use the network. Default false. */
  readonly network?: boolean | undefined;
  /** Further folders that a sandboxed command may read. */
  readonly readable?: readonly string[] | undefined;
}

export interface ConfinedCommand {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A command as it has to be started so that the confinement holds for it and for everything that it starts. */
export function confine(
  { command, env }: ConfinedCommand,
  confinement: Confinement,
  workspace: BubblewrapOptions["workspace"],
): ConfinedCommand {
  const limiter = limiterPrefix(confinement);
  if (confinement.sandbox !== "bwrap") return { command: [...limiter, ...command], env };
  const { network = false, readable = [] } = confinement;
  const sandbox = bubblewrapPrefix({ workspace, network, readable });
  return { command: [...limiter, ...sandbox, ...command], env: sandboxVariables(env, workspace) };
}
