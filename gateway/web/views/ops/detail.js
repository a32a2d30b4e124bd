// @ts-check
/** One actor from near, read anew each second while it is in sight. */
import { api } from "../../app/api.js";
import { html, useEffect, useRef, useState } from "../../app/dom.js";
import { bytes } from "../../app/format.js";
import { icon } from "../../ui/icon.js";
import { Failure, Skeleton, useTitle } from "../../ui/state.js";
import { Actions } from "./act.js";
import { Children, Exits, Handlers, MessageTypes, Recent, StateFields, Watchers } from "./inside.js";
import { entering } from "./look.js";
import { TraceButton, Traces } from "./trace.js";
import { ActorLink, State, When, actorUrl, count, length, share, trouble } from "./words.js";

/** @typedef {import("../../types/ops").Inspection} Inspection */

const EVERY_MS = 1000;

/** @param {{path: string, onClose: () => void}} props */
export function Detail({ path, onClose }) {
  const { seen, busy, error, again } = useInspection(path);
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const name = path.split("/").at(-1) ?? path;
  useTitle(`${name} · Ops`);
  useEffect(() => {
    if (entering.isWanted) heading.current?.focus({ preventScroll: true });
    entering.isWanted = false;
  }, []);
  const isEnded = error?.status === 404;
  return html`<section class="ops-detail" aria-label=${`Actor ${name}`}>
    <header class="ops-detail-head">
      <div><${Parents} path=${path} /><h2 tabindex="-1" ref=${heading}>${name}</h2></div>
      <button type="button" class="icon-button" aria-label="Close details" onClick=${onClose}>${icon("x")}</button>
    </header>
    ${isEnded && html`<p class="ops-ended" role="status">${icon("circle-off")} ${seen ? "This actor has ended. What follows is the last that was seen of it."
      : "There is no actor at this path. It may have ended, or not have started yet."}</p>`}
    ${error && !isEnded && html`<${Failure} what="This actor could not be read." error=${error} onRetry=${again} />`}
    ${!seen && !error && html`<${Skeleton} rows=${5} />`}
    ${seen && html`<${Inside} seen=${seen} busy=${busy} isEnded=${isEnded} again=${again} />`}
  </section>`;
}

/** @param {{seen: Inspection, busy: number, isEnded: boolean, again: () => void}} props */
function Inside({ seen, busy, isEnded, again }) {
  const { actor } = seen;
  const [trace, setTrace] = useState("");
  return html`<p class="ops-detail-state"><${State} row=${actor} /> <span>${actor.class}</span>
      <span>since <${When} at=${actor.started_at} /></span>${actor.restart && html`<span>${actor.restart}</span>`}</p>
    ${actor.unhealthy.length > 0 && html`<p class="ops-detail-trouble">It ${trouble(actor)}.</p>`}
    ${!isEnded && html`<${Actions} actor=${actor} onDone=${again}><${TraceButton} path=${actor.path} onStarted=${setTrace} /><//>`}
    <${Figures} actor=${actor} busy=${busy} />
    <${Handlers} handlers=${seen.handlers} />
    <${Traces} known=${seen.traces} chosen=${trace} onChoose=${setTrace} />
    <${StateFields} state=${seen.state} />
    <${Recent} recent=${seen.recent} since=${seen.recent_since} />
    <${MessageTypes} types=${seen.message_types} />
    <${Exits} exits=${seen.exits} />
    <${Children} actor=${actor} />
    <${Watchers} paths=${seen.watched_by} />`;
}

/** Those above, from the top. @param {{path: string}} props */
function Parents({ path }) {
  const parts = path.split("/").slice(1, -1);
  return html`<nav class="ops-parents" aria-label="Supervisors above">${parts.map((part, at) => html`
    <${ActorLink} key=${at} path=${`/${parts.slice(0, at + 1).join("/")}`}>${part}<//><span aria-hidden="true">/</span>`)}</nav>`;
}

/** @param {{actor: import("../../types/ops").Actor, busy: number}} props */
function Figures({ actor, busy }) {
  const { supervision: kept, process } = actor;
  /** @type {[string, any][]} */
  const figures = [
    ["Mailbox", html`${count(actor.mailbox)}${actor.mailbox_limit > 0 && html`<span class="ops-of"> / ${count(actor.mailbox_limit)}</span>`}`],
    ["Highest", count(actor.mailbox_high_water)],
    ["Oldest", length(actor.head_age_ms)],
    ["Busy", share(busy)],
    ["Handled", count(actor.messages)],
    ["Sent", count(actor.messages_out)],
    ["Errors", count(actor.errors)],
    ["Dropped", count(actor.dropped)],
    ["Restarts", count(actor.restarts)],
    ["In handlers", length(actor.busy_ms)],
  ];
  if (kept) {
    figures.push(["Strategy", kept.strategy.replaceAll("_", " ")],
      ["Intensity", `${kept.restarts_used} of ${kept.restarts_allowed} in ${length(kept.period_seconds * 1000)}`]);
  }
  if (process) figures.push(["Process", process.pid], ["CPU time", length(process.cpu_seconds * 1000)], ["Memory", bytes(process.rss_bytes)]);
  if (actor.last_exit) figures.push(["Last exit", actor.last_exit]);
  return html`<dl class="ops-figures">${figures.map(([label, value]) => html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Reads the actor once a second while the page is visible. @param {string} path */
function useInspection(path) {
  const [seen, setSeen] = useState(/** @type {Inspection | null} */ (null));
  const [busy, setBusy] = useState(0);
  const [error, setError] = useState(/** @type {any} */ (null));
  const read = useRef(() => {});
  useEffect(() => {
    let timer = 0;
    let isGone = false;
    let isReading = false;
    /** @type {{at: number, busy: number} | null} */
    let before = null;
    const step = async () => {
      clearTimeout(timer);
      if (isReading || document.hidden) return;
      isReading = true;
      try {
        const answer = /** @type {Inspection} */ (await api("GET", actorUrl(path)));
        if (isGone) return;
        const now = { at: performance.now(), busy: answer.actor.busy_ms + answer.actor.current_ms };
        if (before) setBusy(Math.max(0, now.busy - before.busy) / (now.at - before.at));
        before = now;
        setSeen(answer);
        setError(null);
      } catch (thrown) {
        if (!isGone) setError(thrown);
      } finally {
        isReading = false;
        if (!isGone) timer = setTimeout(step, EVERY_MS);
      }
    };
    read.current = step;
    const onVisibility = () => { if (!document.hidden) step(); };
    document.addEventListener("visibilitychange", onVisibility);
    step();
    return () => {
      isGone = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisibility);
    };
  }, []);
  return { seen, busy, error, again: () => read.current() };
}
