// @ts-check
/** Numbers, times and names as people read them. */

/** `1:05`, `1:02:03`; `–:––` while unknown. @param {number | null | undefined} seconds */
export function clock(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–:––";
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** @param {number} count */
export function bytes(count) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const step = count < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(count) / 3));
  return new Intl.NumberFormat(undefined, {
    style: "unit", unit: units[step], unitDisplay: step ? "short" : "long", maximumFractionDigits: step > 1 ? 1 : 0,
  }).format(count / 1000 ** step);
}

const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

/** @param {number} count */
export const playCount = (count) => `${compact.format(count)} ${count === 1 ? "play" : "plays"}`;

/** @param {number} share 0 to 1 */
export const percent = (share) => `${Math.floor(Math.min(1, Math.max(0, share)) * 100)} %`;

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const STEPS = [["minute", 60], ["hour", 3600], ["day", 86400], ["week", 604800]];

/** "5 minutes ago" within a month, then the date. @param {string} at */
export function ago(at) {
  const seconds = (Date.now() - Date.parse(at)) / 1000;
  if (seconds < 60) return "just now";
  if (seconds > 2592000) return new Date(at).toLocaleDateString(undefined, { dateStyle: "medium" });
  const [unit, length] = /** @type {[Intl.RelativeTimeFormatUnit, number]} */ (STEPS.findLast(([, size]) => seconds >= size));
  return relative.format(-Math.floor(seconds / length), unit);
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** @param {string} at */
export const timeOfDay = (at) => CLOCK.format(new Date(at));

/** The same without AM and PM, for the margin. @param {string} at */
export const shortTimeOfDay = (at) =>
  CLOCK.formatToParts(new Date(at)).filter(({ type }) => type !== "dayPeriod").map(({ value }) => value).join("").trim();

/** @param {string} at */
export const dayOf = (at) =>
  new Date(at).toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" });

/** Degrees left out of the wheel: dark yellows look like mud. */
const MUD = { from: 75, width: 55 };

/** The hue, in degrees, that a track or a person keeps everywhere. @param {string} id */
export function hue(id) {
  const degrees = seed(id) % (360 - MUD.width);
  return degrees < MUD.from ? degrees : degrees + MUD.width;
}

/** 32 bits that stand for an id: FNV-1a, then the finaliser of MurmurHash3, since ids of one day differ little. @param {string} id */
export function seed(id) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
