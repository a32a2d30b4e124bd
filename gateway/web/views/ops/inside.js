// @ts-check
/** What an actor is made of and did lately: its state, messages, handlers at work, ends, and those around it. */
import { html } from "../../app/dom.js";
import { icon } from "../../ui/icon.js";
import { ActorLink, State, When, count, length } from "./words.js";

/** @typedef {import("../../types/ops").Inspection} Inspection @typedef {import("../../types/ops").Actor} Actor */

/** @param {{title: string, note?: any, children?: any}} props */
export function Part({ title, note = "", children }) {
  return html`<section class="ops-part" aria-label=${title}><h3>${title}${note && html` <span class="ops-of">${note}</span>`}</h3>${children}</section>`;
}

/** A share of the longest, drawn. @param {{share: number, kind?: string}} props */
const Share = ({ share, kind = "ops-bar" }) => html`<span class=${kind} style=${{ "--share": Math.min(1, share) }}></span>`;

/** @param {{handlers: Inspection["handlers"]}} props */
export function Handlers({ handlers }) {
  if (!handlers.length) return null;
  return html`<${Part} title="At work" note=${`${handlers.length} ${handlers.length === 1 ? "handler" : "handlers"}`}>
    ${handlers.map(({ type, running_ms: running, stack }, at) => html`<details class="ops-fold" key=${at} open=${handlers.length === 1}>
      <summary><strong>${type}</strong> for ${length(running)}</summary>
      ${stack.length ? html`<pre class="ops-trace" tabindex="0">${stack.join("\n")}</pre>` : html`<p class="ops-of">No stack.</p>`}
    </details>`)}<//>`;
}

/** @param {{state: Record<string, string>}} props */
export function StateFields({ state }) {
  const names = Object.keys(state);
  if (!names.length) return null;
  return html`<${Part} title="State"><dl class="ops-fields">${names.map((name) => html`
    <div key=${name}><dt>${name}</dt><dd>${state[name]}</dd></div>`)}</dl><//>`;
}

/** @param {{recent: Inspection["recent"], since: string}} props */
export function Recent({ recent, since }) {
  const longest = Math.max(1, ...recent.map(({ wait_ms: wait, run_ms: run }) => wait + run));
  return html`<${Part} title="Last messages" note=${recent.length ? html`kept since <${When} at=${since} />` : ""}>
    ${recent.length === 0 ? html`<p class="ops-of">None since <${When} at=${since} />.</p>` : html`
    <div class="ops-scroll" tabindex="0" role="region" aria-label="Each of the last messages"><table class="ops-table">
      <thead><tr><th scope="col">At</th><th scope="col">Message</th><th scope="col">Waited</th><th scope="col">Ran</th><th class="ops-wide" aria-hidden="true"></th></tr></thead>
      <tbody>${recent.map(({ type, at, wait_ms: wait, run_ms: run }, index) => html`<tr key=${index}>
        <td><${When} at=${at} /></td><td class="ops-grow">${type}</td><td class="ops-number">${length(wait)}</td><td class="ops-number">${length(run)}</td>
        <td class="ops-wide" aria-hidden="true"><span class="ops-bars"><${Share} kind="ops-bar ops-bar-wait" share=${wait / longest} /><${Share} share=${run / longest} /></span></td>
      </tr>`)}</tbody></table></div>
    <p class="ops-key" aria-hidden="true"><span class="ops-bar-wait"></span>waited <span class="ops-bar"></span>ran, of ${length(longest)}</p>`}<//>`;
}

/** @param {{types: Inspection["message_types"]}} props */
export function MessageTypes({ types }) {
  if (!types.length) return null;
  const most = Math.max(...types.map((each) => each.count));
  const ordered = [...types].sort((a, b) => b.count - a.count);
  return html`<${Part} title="Message types"><table class="ops-table">
    <thead><tr><th scope="col">Message</th><th scope="col">Handled</th><th class="ops-wide" aria-hidden="true"></th><th scope="col">Mean</th></tr></thead>
    <tbody>${ordered.map((each) => html`<tr key=${each.type}><td class="ops-grow">${each.type}</td><td class="ops-number">${count(each.count)}</td>
      <td class="ops-wide" aria-hidden="true"><span class="ops-bars"><${Share} share=${each.count / most} /></span></td>
      <td class="ops-number">${length(each.run_ms / Math.max(1, each.count))}</td></tr>`)}</tbody></table><//>`;
}

/** @param {{exits: Inspection["exits"]}} props */
export function Exits({ exits }) {
  if (!exits.length) return null;
  return html`<${Part} title="Restarts and ends" note=${`the last ${exits.length}`}><ul class="ops-exits">${exits.map(({ at, kind, detail, traceback }, index) => html`
    <li key=${index}>${traceback ? html`<details class="ops-fold"><summary><${When} at=${at} /> <strong>${kind}</strong> ${detail}</summary>
      <pre class="ops-trace" tabindex="0">${traceback}</pre></details>`
      : html`<p><${When} at=${at} /> <strong>${kind}</strong> ${detail}</p>`}</li>`)}</ul><//>`;
}

/** @param {{actor: Actor}} props */
export function Children({ actor }) {
  const { below, children = [], child_count: total } = actor;
  if (!total) return null;
  const sum = [
    `${count(below.actors - 1)} below`, `${count(below.unhealthy)} unhealthy`, `${count(below.mailbox)} waiting`,
    `oldest ${length(below.head_age_ms)}`, `${count(below.errors)} errors`, `${count(below.restarts)} restarts`,
  ];
  return html`<${Part} title="Children" note=${count(total)}><p class="ops-sum">${sum.join(" · ")}</p>
    <ul class="ops-children">${children.map((child) => html`<li key=${child.path}><${State} row=${child} />
      <${ActorLink} path=${child.path}>${child.name}<//><span class="ops-of">${child.mailbox ? `${count(child.mailbox)} waiting` : ""}</span></li>`)}</ul>
    ${total > children.length && html`<p class="ops-of">${count(total - children.length)} more, quieter ones are not listed.</p>`}<//>`;
}

/** @param {{paths: string[]}} props */
export function Watchers({ paths }) {
  if (!paths.length) return null;
  return html`<${Part} title="Watched by"><ul class="ops-children">${paths.map((path) => html`
    <li key=${path}>${icon("scan-search")}<${ActorLink} path=${path} /></li>`)}</ul><//>`;
}
