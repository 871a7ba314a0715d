/** An instant: microseconds since the Unix epoch, a safe integer until the year 2255. */
export type Micros = number;

export const MICROS_PER_MS = 1_000;
export const MICROS_PER_SECOND = 1_000_000;

/** The text of the second that was asked for last: most stamps of an answer, and of its neighbours, share it. */
let lastSecond = Number.NaN;
let lastSecondText = "";

/** RFC 3339 in UTC with `Z` and exactly six fractional digits, the only form that this server writes. */
export function formatTime(at: Micros): string {
  const second = Math.floor(at / MICROS_PER_SECOND);
  if (second !== lastSecond) {
    lastSecondText = new Date(second * 1_000).toISOString().slice(0, -4);
    lastSecond = second;
  }
  // Seven digits of which the first is dropped: the leading zeros come for free.
  return `${lastSecondText}${String(at - second * MICROS_PER_SECOND + MICROS_PER_SECOND).slice(1)}Z`;
}

const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt]((?:[01]\d|2[0-3]):\d{2}):(\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})$/;
/** RFC 3339, section 5.7, gives a leap second this number. Where seconds are counted it is the one behind it. */
const LEAP_SECOND = "60";

/**
 * Reads any RFC 3339 time. Digits finer than a microsecond are kept as a fraction, so that a value that is not exactly
 * a stored instant never compares equal to one (until the year 2112, when half a microsecond is lost to rounding).
 *
 * @returns `undefined` when the text is not an RFC 3339 time.
 */
export function parseTime(text: string): Micros | undefined {
  const match = RFC_3339.exec(text);
  if (!match) return undefined;
  const [, date, minute, second, fraction = "", zone = "Z"] = match;
  const leap = second === LEAP_SECOND;
  const ms = Date.parse(`${date}T${minute}:${leap ? "59" : second}${zone.toUpperCase()}`) + (leap ? 1_000 : 0);
  if (Number.isNaN(ms)) return undefined;
  // Date.parse rolls 2026-02-30 over into March; RFC 3339 knows no such day.
  const day = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== date) return undefined;
  const micros = Number(`${fraction.slice(0, 6).padEnd(6, "0")}`);
  const finer = Number(fraction.slice(6)) > 0 ? 0.5 : 0;
  return ms * MICROS_PER_MS + micros + finer;
}

export const secondsToMicros = (seconds: number): Micros => seconds * MICROS_PER_SECOND;
export const msToMicros = (ms: number): Micros => ms * MICROS_PER_MS;
