/** What one turn's command may use. Left out: no limit of ours. */
export interface ResourceLimits {
  /** Memory that each process may allocate for itself, in MiB. */
  readonly memoryMb?: number | undefined;
  /** Processes and threads of the worker's user at once. The kernel exempts root from it. */
  readonly processes?: number | undefined;
  /** Processor time of each process, in seconds. */
  readonly cpuSeconds?: number | undefined;
}

/** From util-linux, which every Debian, Fedora and Alpine image of note carries. */
export const LIMITER = "prlimit";

const MIB = 1_048_576;

/**
 * What goes in front of a command so that the kernel enforces the limits on it and on all that it starts.
 *
 * Memory is limited as RLIMIT_DATA, not as address space: JavaScript engines reserve terabytes of addresses that they
 * never touch, and would not even start.
 */
export function limiterPrefix({ memoryMb, processes, cpuSeconds }: ResourceLimits): readonly string[] {
  const flags = [
    ...(memoryMb === undefined ? [] : [`--data=${memoryMb * MIB}`]),
    ...(processes === undefined ? [] : [`--nproc=${processes}`]),
    ...(cpuSeconds === undefined ? [] : [`--cpu=${cpuSeconds}`]),
  ];
  // A core dump would write the session's memory to a disk where nobody expects it.
  return flags.length === 0 ? [] : [LIMITER, "--core=0", ...flags];
}
