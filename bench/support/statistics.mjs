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
