/** The value below which `share` (0–1) of the samples lie; the samples are sorted in place. */
export function percentile(samples, share) {
  if (samples.length === 0) return null;
  samples.sort((a, b) => a - b);
  return samples[Math.min(samples.length - 1, Math.ceil(samples.length * share) - 1)];
}

/** Median, least and greatest of a few repeats: with five of them, anything finer would pretend. */
export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median: round(median), min: round(sorted[0]), max: round(sorted.at(-1)) };
}

/** Four significant digits: more than any of these measurements can tell apart. */
export const round = (value) => (Number.isFinite(value) ? Number(value.toPrecision(4)) : null);

export function percentiles(samples, shares) {
  return Object.fromEntries(
    Object.entries(shares).map(([name, share]) => [name, round(percentile(samples, share) ?? Number.NaN)]),
  );
}

const BUCKETS_PER_MS = 20;
/** Longest time that is told apart: whatever is longer counts as this. */
const LONGEST_MS = 10_000;

/** Counts of times in steps of 0.05 ms: millions of samples in a bounded memory. */
export class Histogram {
  #counts = new Map();
  #total = 0;

  record(ms) {
    const bucket = Math.min(LONGEST_MS * BUCKETS_PER_MS, Math.max(0, Math.ceil(ms * BUCKETS_PER_MS)));
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#total += 1;
  }

  add(other) {
    for (const [bucket, count] of other.#counts) this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
    this.#total += other.#total;
  }

  /** Upper ends of the steps in which the shares (0–1) of all samples are reached. */
  percentiles(shares) {
    const buckets = [...this.#counts].sort(([a], [b]) => a - b);
    const reached = (share) => {
      let seen = 0;
      for (const [bucket, count] of buckets) {
        seen += count;
        if (seen >= share * this.#total) return bucket / BUCKETS_PER_MS;
      }
      return Number.NaN;
    };
    return Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, round(reached(share))]));
  }
}
