const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Above this age a date says more than a number of days. */
const DATE_AFTER = 30 * DAY;

/**
 * A time as a person would say it: `just now`, `12 s ago`, `3 min ago`, `in 2 h`, and the date for what is far away.
 *
 * @param time RFC 3339, or `null` for what has not happened
 * @param now milliseconds since the Unix epoch
 */
export function relativeTime(time: string | null, now: number): string {
  if (time === null) return "–";
  const difference = now - Date.parse(time);
  const distance = Math.abs(difference);
  // Two clocks that agree within a few seconds would else show answers of the server as coming from the future.
  if (distance < 5 * SECOND) return "just now";
  if (distance >= DATE_AFTER) return time.slice(0, 10);
  const amount = duration(distance);
  return difference > 0 ? `${amount} ago` : `in ${amount}`;
}

/** A length of time in its largest whole unit. */
export function duration(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}
