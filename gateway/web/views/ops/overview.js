// @ts-check
/** The node at a glance: what it is, its figures in a strip, and what is wrong in words. */
import { html } from "../../app/dom.js";
import { bytes } from "../../app/format.js";
import { connection } from "../../app/ws.js";
import { icon } from "../../ui/icon.js";
import { blocks, frameAt, isStale, node, nodeRates, tree } from "./live.js";
import { isUnhealthyOnly } from "./look.js";
import { ActorLink, When, count, harm, length, perSecond, share, stamp, stateOf, trouble } from "./words.js";

/** @typedef {import("../../types/ops").NodeFigures} NodeFigures */

const MOST_ALARMS = 5;
const BLOCK_SHOWN_MS = 600_000;

export function Heading() {
  const figures = node.value;
  const isLive = connection.value.state === "ready" && !isStale.value;
  return html`<header class="ops-heading"><h1>Ops</h1>
    <p class=${isLive ? "ops-pulse" : "ops-pulse ops-warn"}>${!figures ? "Waiting for figures" : isLive
      ? html`<span class="ops-dot" aria-hidden="true"></span>Live` : `Figures of ${stamp(frameAt.value)}`}</p>
    ${figures && html`<p class="ops-about">
      <span class=${figures.phase === "ready" ? "ops-phase" : "ops-phase ops-warn"}>${figures.phase === "ready" ? icon("check") : icon("arrow-down")}
        ${figures.phase === "ready" ? "Ready" : "Draining"}</span>
      <span>${figures.host}</span><span>Veza ${figures.version}</span>
      <span>up ${length(frameAt.value - Date.parse(figures.started_at))}</span>
    </p>`}
  </header>`;
}

/** @param {number} used @param {number} limit */
const outOf = (used, limit) => html`${count(used)}<span class="ops-of"> / ${count(limit)}</span>`;

/** @param {NodeFigures} figures @returns {[string, any][]} */
function figuresOf(figures) {
  const { rate, cpu } = nodeRates.value;
  return [
    ["Actors", count(figures.actors)],
    ["Messages/s", perSecond(rate)],
    ["Loop lag", html`${length(figures.loop_lag_ms)}<span class="ops-of"> max ${length(figures.loop_lag_max_ms)}</span>`],
    ["GC pause", html`<span class="ops-of">max </span>${length(figures.gc_pause_max_ms)}`],
    ["CPU", share(cpu)],
    ["Memory", bytes(figures.rss_bytes)],
    ["Dead letters", count(figures.dead_letters)],
    ["Crashes", count(figures.crashes)],
    ["DB pool", outOf(figures.database_connections, figures.database_connections_limit)],
    ["Open files", outOf(figures.open_files, figures.open_files_limit)],
    ["Connections", count(figures.connections)],
  ];
}

export function Strip() {
  if (!node.value) return null;
  return html`<dl class=${isStale.value ? "ops-strip is-stale" : "ops-strip"} aria-label="Figures of this node">
    ${figuresOf(node.value).map(([label, value]) => html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

/** The actors that need a look, worst first. */
function unhealthyRows() {
  const rows = [];
  for (const { row } of tree.value.entries.values()) if (row.unhealthy.length) rows.push(row);
  return rows.sort((a, b) => harm(b) - harm(a) || b.head_age_ms - a.head_age_ms);
}

/** Checks and the loop: what concerns the node as a whole. */
function nodeAlarms() {
  const { checks = {}, phase = "ready" } = node.value ?? {};
  const failing = Object.keys(checks).filter((name) => !checks[name]);
  const alarms = failing.map((name) => html`<li key=${name}>${icon("octagon-x")}<p>The check <strong>${name.replaceAll("_", " ")}</strong> fails.</p></li>`);
  if (phase !== "ready") {
    alarms.push(html`<li key="phase" class="ops-warn">${icon("arrow-down")}<p>The node is <strong>draining</strong>: it takes on nothing new and ends.</p></li>`);
  }
  const block = blocks.value.filter(({ at }) => frameAt.value - Date.parse(at) < BLOCK_SHOWN_MS).sort((a, b) => b.seconds - a.seconds)[0];
  if (block) alarms.push(html`<${Blocked} key="block" block=${block} />`);
  return alarms;
}

/** @param {{block: import("../../types/ops").Block}} props */
function Blocked({ block }) {
  const [path, ...message] = block.at_work.split(" ");
  const who = tree.value.entries.has(path) ? html`<${ActorLink} path=${path} /> ${message.join(" ")}` : block.at_work;
  return html`<li class="ops-warn">${icon("hourglass")}<div><p>The event loop stood still for <strong>${length(block.seconds * 1000)}</strong>${" "}
    at <${When} at=${block.at} />${block.at_work && html`, in ${who}`}.</p>
    ${block.stack && html`<details><summary>Where</summary><pre class="ops-trace" tabindex="0">${block.stack}</pre></details>`}</div></li>`;
}

/** @param {{isShort: boolean}} props isShort: only the worst, beside something else to look at */
export function Alarms({ isShort }) {
  const general = nodeAlarms();
  const rows = unhealthyRows();
  const root = tree.value.entries.get(tree.value.roots[0] ?? "")?.row;
  const total = general.length + Math.max(rows.length, root?.below.unhealthy ?? 0);
  if (!total) return null;
  const alarms = [...general, ...rows.map((row) => html`<${Unwell} key=${row.path} row=${row} />`)].slice(0, isShort ? 1 : MOST_ALARMS);
  return html`<section class="ops-alarms" aria-label="Alarms">
    <p class="sr-only" role="status">${total} ${total === 1 ? "alarm" : "alarms"}</p>
    <ul>${alarms}</ul>
    ${total > alarms.length && html`<button type="button" class="link-button" onClick=${() => { isUnhealthyOnly.value = true; }}>
      ${count(total - alarms.length)} more ${total - alarms.length === 1 ? "needs" : "need"} a look</button>`}
  </section>`;
}

/** @param {{row: import("../../types/ops").Actor}} props */
function Unwell({ row }) {
  const { tone } = stateOf(row);
  return html`<li class=${`ops-${tone}`}>${tone === "danger" ? icon("octagon-x") : icon("triangle-alert")}
    <p><${ActorLink} path=${row.path} /> ${trouble(row)}.</p></li>`;
}
