// @ts-check
/** What the ops page says of states, lengths of time and alarms: plain words, worst first. */
import { html } from "../../app/dom.js";
import { icon } from "../../ui/icon.js";

/** @typedef {import("../../types/ops").Actor} Actor @typedef {import("../../types/ops").Unhealthy} Unhealthy */
/** @typedef {"danger" | "warn" | "calm"} Tone */

/** In the order of harm, as the server has it. @type {Record<Unhealthy, {word: string, tone: Tone}>} */
const TROUBLES = {
  crashed: { word: "Crashed", tone: "danger" },
  hung: { word: "Hung", tone: "danger" },
  mailbox_full: { word: "Mailbox full", tone: "danger" },
  waiting: { word: "Backlog", tone: "warn" },
  intensity: { word: "Near limit", tone: "danger" },
  down: { word: "Down", tone: "danger" },
  restarted: { word: "Restarted", tone: "warn" },
  suspended: { word: "Suspended", tone: "warn" },
  draining: { word: "Draining", tone: "warn" },
};
const ORDER = /** @type {Unhealthy[]} */ (Object.keys(TROUBLES));

/** @param {Actor} row @returns {Unhealthy | null} */
const worst = (row) => ORDER.find((name) => row.unhealthy.includes(name)) ?? null;

/** How much an actor needs a look; 0 if not at all. @param {Actor} row */
export function harm(row) {
  const trouble = worst(row);
  if (trouble) return 10 + ORDER.length - ORDER.indexOf(trouble);
  return row.state === "running" ? 2 : row.state === "ready" ? 1 : 0;
}

const capital = (/** @type {string} */ text) => text.charAt(0).toUpperCase() + text.slice(1).replaceAll("_", " ");

/** @param {Actor} row @returns {{word: string, tone: Tone}} */
export function stateOf(row) {
  const trouble = worst(row);
  return trouble ? TROUBLES[trouble] : { word: capital(row.state), tone: "calm" };
}

/** @param {Actor} row */
function stateIcon(row) {
  switch (worst(row) ?? row.state) {
    case "crashed": return icon("flame");
    case "hung": return icon("octagon-x");
    case "mailbox_full": return icon("mail-warning");
    case "waiting": return icon("hourglass");
    case "intensity": return icon("shield-alert");
    case "down": return icon("circle-off");
    case "restarted": return icon("rotate-ccw");
    case "suspended": return icon("circle-pause");
    case "draining": return icon("arrow-down");
    case "running": return icon("circle-dot");
    case "idle": case "ready": return icon("circle");
    default: return icon("circle-dashed");
  }
}

/** A state by icon and word. @param {{row: Actor}} props */
export function State({ row }) {
  const { word, tone } = stateOf(row);
  return html`<span class=${`ops-state ops-${tone}`}>${stateIcon(row)}<span>${word}</span></span>`;
}

const DAY_MS = 86_400_000;
const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const TENTHS = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact" });

export const count = (/** @type {number} */ value) => WHOLE.format(value);

/** A bound, in as few characters as it can be told: "1,000", "100K". @param {number} value */
export const bound = (value) => (value < 10_000 ? WHOLE : COMPACT).format(value);

/** A figure a second: tenths while it is small. @param {number} value */
export const perSecond = (value) => (value < 10 ? TENTHS : WHOLE).format(value);

/** "+3/s"; nothing while it stands. @param {number} value */
export const growth = (value) => (Math.abs(value) < 0.05 ? "" : `${value > 0 ? "+" : "−"}${perSecond(Math.abs(value))}/s`);

/** @param {number} share 1 is all of one core */
export const share = (share) => `${share > 0 && share < 0.1 ? TENTHS.format(share * 100) : Math.round(share * 100)} %`;

/** "0 ms", "240 ms", "4.2 s", "3 min 12 s", "2 h 5 min", "4 d 3 h". @param {number} ms */
export function length(ms) {
  if (ms < 10) return `${TENTHS.format(Math.max(0, ms))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${TENTHS.format(ms / 1000)} s`;
  const seconds = Math.floor(ms / 1000);
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${seconds % 60} s`;
}

/** The same in one figure, where room is short: "1.6 min", "4.1 d". @param {number} ms */
export function brief(ms) {
  if (ms < 119_500) return ms < 59_950 ? length(ms) : `${Math.round(ms / 1000)} s`;
  const [size, unit] = ms < 5_400_000 ? [60_000, "min"] : ms < 129_600_000 ? [3_600_000, "h"] : [DAY_MS, "d"];
  return `${(ms < size * 10 ? TENTHS : WHOLE).format(ms / size)} ${unit}`;
}

const STAMP = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DATED = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
/** The time to the second, with its day unless it is of the last hours. @param {string | number} at */
export function stamp(at) {
  const time = new Date(at);
  return (Date.now() - time.getTime() < DAY_MS / 2 ? STAMP : DATED).format(time);
}

/** A time for people and machines. @param {{at: string}} props */
export function When({ at }) {
  return html`<time datetime=${at} title=${new Date(at).toLocaleString()}>${stamp(at)}</time>`;
}

/** Where an actor stands, on this page as in the API. @param {string} path begins with a slash */
export const actorUrl = (path) => `/ops/actors${path.split("/").map(encodeURIComponent).join("/")}`;

/** An actor's path as a link. @param {{path: string, children?: any}} props */
export function ActorLink({ path, children }) {
  return html`<a class="ops-link" href=${actorUrl(path)}>${children ?? path}</a>`;
}

/** What is wrong with an actor, as the end of a sentence that its name begins. @param {Actor} row */
export function trouble(row) {
  const { mailbox, head_age_ms: age, current, current_ms: running, supervision, restarts, last_exit: exit } = row;
  switch (worst(row)) {
    case "crashed": return exit ? `crashed: ${exit}` : "crashed";
    case "hung": return `hangs: ${current || "a handler"} has run for ${length(running)}`;
    case "mailbox_full": return `refuses messages: its mailbox is full (${count(mailbox)} of ${count(row.mailbox_limit)})`;
    case "waiting": return `falls behind: the oldest of ${count(mailbox)} waiting messages is ${length(age)} old`;
    case "intensity": return supervision
      ? `is near giving up: ${supervision.restarts_used} of ${supervision.restarts_allowed} restarts in ${length(supervision.period_seconds * 1000)}`
      : "is near giving up";
    case "down": return exit ? `is down: ${exit}` : "is down";
    case "restarted": return `was restarted (${count(restarts)} so far)${exit ? `: ${exit}` : ""}`;
    case "suspended": return `is suspended, with ${count(mailbox)} messages waiting`;
    case "draining": return "is draining";
    default: return "is well";
  }
}
