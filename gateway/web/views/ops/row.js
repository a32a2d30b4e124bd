// @ts-check
/** One row of the tree: an actor with its figures, or how many of a family are not shown. */
import { html } from "../../app/dom.js";
import { bytes } from "../../app/format.js";
import { navigate } from "../../app/router.js";
import { icon } from "../../ui/icon.js";
import { tree } from "./live.js";
import { setOpen } from "./look.js";
import { rates } from "./rows.js";
import { State, actorUrl, bound, brief, count, growth, perSecond, share } from "./words.js";

/** @typedef {import("./rows.js").Entry} Entry @typedef {import("./rows.js").Line} Line @typedef {import("./rows.js").SortKey} SortKey */
/** @typedef {{line: Line, index: number, top: number, isActive: boolean, onFocus: () => void}} Place */

/** @type {{key: SortKey, place: string, label: string, full?: string}[]} */
export const COLUMNS = [
  { key: "state", place: "ops-c-state", label: "State" },
  { key: "name", place: "ops-c-name", label: "Name" },
  { key: "class", place: "ops-c-class", label: "Class" },
  { key: "mailbox", place: "ops-c-mailbox", label: "Mailbox" },
  { key: "growth", place: "ops-c-growth", label: "Δ", full: "growth of the mailbox" },
  { key: "age", place: "ops-c-age", label: "Oldest", full: "age of the oldest message" },
  { key: "rate", place: "ops-c-rate", label: "Msgs/s", full: "messages a second" },
  { key: "busy", place: "ops-c-busy", label: "Busy", full: "share of time in handlers" },
  { key: "restarts", place: "ops-c-restarts", label: "Restarts" },
  { key: "exit", place: "ops-c-exit", label: "Last exit" },
  { key: "process", place: "ops-c-process", label: "Process", full: "memory of its process" },
];

/** A click opens the details, unless it was meant for the arrow or for a new window. @param {MouseEvent} event @param {Line} line */
function onClick(event, line) {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const isArrow = event.target instanceof Element && event.target.closest(".ops-twisty");
  if (isArrow && line.isOpen !== null) setOpen(line.path, !line.isOpen);
  else navigate(actorUrl(line.path), { stay: true });
}

/** @param {Place} place */
const rowProps = ({ line, index, top, isActive, onFocus }) => ({
  role: "row", "data-path": line.path, tabIndex: isActive ? 0 : -1, onFocus,
  "aria-rowindex": index + 2, "aria-level": line.level, "aria-setsize": line.setSize, "aria-posinset": line.position,
  "aria-expanded": line.isOpen === null ? null : String(line.isOpen),
  style: { transform: `translateY(${top}px)`, "--level": line.level - 1 },
  onClick: (/** @type {MouseEvent} */ event) => onClick(event, line),
});

/** @param {Place & {entry: Entry | undefined, isSelected: boolean, isFlat: boolean}} props */
export function RowOfActor({ entry, isSelected, isFlat, ...place }) {
  if (!entry) return null;
  const { row } = entry;
  const { line } = place;
  const rate = rates(tree.value, entry);
  const cells = {
    state: html`<${State} row=${row} />`,
    name: html`<${Name} line=${line} entry=${entry} rate=${rate.below} isFlat=${isFlat} />`,
    class: row.class,
    mailbox: html`<span class=${row.mailbox ? "" : "ops-nil"}>${count(row.mailbox)}${row.mailbox_limit > 0 && html`<span class="ops-of">/${bound(row.mailbox_limit)}</span>`}</span>`,
    growth: growth(rate.growth),
    age: row.head_age_ms ? brief(row.head_age_ms) : html`<span class="ops-nil">–</span>`,
    rate: html`<span class=${rate.messages ? "" : "ops-nil"}>${perSecond(rate.messages)}</span>`,
    busy: html`<span class=${rate.busy >= 0.005 ? "" : "ops-nil"}>${share(rate.busy)}</span>`,
    restarts: html`<span class=${row.restarts ? "" : "ops-nil"}>${count(row.restarts)}</span>`,
    exit: row.last_exit ?? "",
    process: row.process && html`<span title=${`Process ${row.process.pid}`}>${row.process.pid}
      <span class="ops-of"> ${share(rate.cpu)} · ${bytes(row.process.rss_bytes)}</span></span>`,
  };
  return html`<div ...${rowProps(place)} class=${isSelected ? "ops-row is-selected" : "ops-row"} aria-selected=${String(isSelected)}>
    ${COLUMNS.map(({ key, place: cell }, at) => html`<div key=${key} role="gridcell" aria-colindex=${at + 1} class=${`ops-cell ${cell}`}
      title=${key === "exit" || key === "class" ? cells[key] : undefined}>${cells[key]}</div>`)}
  </div>`;
}

/** @param {{line: Line, entry: Entry, rate: number, isFlat: boolean}} props */
function Name({ line, entry: { row }, rate, isFlat }) {
  return html`<span class=${line.isOpen ? "ops-twisty is-open" : "ops-twisty"} aria-hidden="true">${line.isOpen !== null && icon("chevron-right")}</span>
    <a class="ops-name" tabindex="-1" href=${actorUrl(row.path)} title=${row.path}>${isFlat ? row.path : row.name}</a>
    ${line.isOpen === false && html`<span class="ops-rollup">${rollUp(row, rate)}</span>`}`;
}

/** What a closed supervisor hides. @param {import("../../types/ops").Actor} row @param {number} rate */
function rollUp({ below }, rate) {
  const parts = [`${count(below.actors - 1)} below`];
  if (below.unhealthy) parts.push(`${count(below.unhealthy)} unhealthy`);
  if (below.mailbox) parts.push(`${count(below.mailbox)} waiting`);
  if (rate >= 0.05) parts.push(`${perSecond(rate)} msgs/s`);
  return parts.join(" · ");
}

/** The rest of a family, which the live figures leave out; its supervisor's details list more. @param {Place} place */
export function RowOfMore(place) {
  const { line } = place;
  return html`<div ...${rowProps(place)} class="ops-row ops-more" aria-selected="false">
    <div role="gridcell" aria-colindex="2" aria-colspan=${COLUMNS.length - 1} class="ops-cell ops-c-name">
      <span class="ops-twisty" aria-hidden="true"></span>
      <span>${count(line.more)} more, quieter ones: details of ${line.path.split("/").at(-1)}</span></div>
  </div>`;
}
