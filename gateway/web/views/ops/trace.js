// @ts-check
/** Traces of an actor: the next messages kept as they are handled, within limits that end each trace by itself. */
import { api } from "../../app/api.js";
import { html, useEffect, useRef, useState } from "../../app/dom.js";
import { Field } from "../../ui/form.js";
import { icon } from "../../ui/icon.js";
import { Reason } from "./act.js";
import { Part } from "./inside.js";
import { When, actorUrl, count, length } from "./words.js";

/** @typedef {import("../../types/ops").Trace} Trace @typedef {import("../../types/ops").TracedMessage} TracedMessage */

const EVERY_MS = 500;

/** The button that starts a trace, and its dialog. @param {{path: string, onStarted: (id: string) => void}} props */
export function TraceButton({ path, onStarted }) {
  const [isAsking, setAsking] = useState(false);
  const start = async (/** @type {string} */ reason, /** @type {Record<string, any>} */ { limit, seconds, type, bodies }) => {
    const body = { reason, limit: Number(limit), seconds: Number(seconds), type: type.trim(), with_bodies: bodies === "on" };
    onStarted((await api("POST", `${actorUrl(path)}/trace`, body)).trace.trace_id);
    return true;
  };
  return html`<button type="button" class="ops-tool" onClick=${() => setAsking(true)}>${icon("scan-search")}<span>Trace</span></button>
    ${isAsking && html`<${Reason} title="Trace messages" label="Start trace" onClose=${() => setAsking(false)} act=${start}
      means="The next messages are kept as they are handled. The trace ends by itself at the first of its limits.">
      <div class="ops-pair">
        <${Field} label="At most (messages)" name="limit" type="number" min="1" max="500" value="100" required />
        <${Field} label="For (seconds)" name="seconds" type="number" min="1" max="60" value="30" required />
      </div>
      <${Field} label="Only this message type" name="type" autocomplete="off" spellcheck=${false} placeholder="All types" />
      <label class="ops-check"><input type="checkbox" name="bodies" /> With bodies (secrets are masked)</label><//>`}`;
}

/** The trace that was started or chosen, and the others. @param {{known: Trace[], chosen: string, onChoose: (id: string) => void}} props */
export function Traces({ known, chosen, onChoose }) {
  const open = chosen || known.find((each) => !each.why_ended)?.trace_id || "";
  const others = known.filter((each) => each.trace_id !== open);
  if (!open && !others.length) return null;
  return html`<${Part} title="Trace">
    ${open && html`<${Running} key=${open} id=${open} />`}
    ${others.length > 0 && html`<ul class="ops-exits">${others.map((each) => html`<li key=${each.trace_id}>
      <button type="button" class="link-button" onClick=${() => onChoose(each.trace_id)}>Trace of <${When} at=${each.started_at} /></button>
      <span class="ops-of"> ${count(each.kept)} messages${each.why_ended ? ` · ended: ${each.why_ended}` : ""}</span></li>`)}</ul>`}<//>`;
}

/** A trace as it grows. @param {{id: string}} props */
function Running({ id }) {
  const [trace, setTrace] = useState(/** @type {Trace | null} */ (null));
  const [error, setError] = useState("");
  const messages = useRef(/** @type {TracedMessage[]} */ ([]));
  useEffect(() => {
    let timer = 0;
    let isGone = false;
    const step = async () => {
      try {
        const after = messages.current.at(-1)?.number ?? 0;
        const answer = await api("GET", `/ops/traces/${encodeURIComponent(id)}?after=${after}`);
        if (isGone) return;
        messages.current = [...messages.current, ...answer.messages];
        setTrace(answer.trace);
        setError("");
        if (answer.trace.why_ended) return;
      } catch (thrown) {
        if (isGone) return;
        const { status, message } = /** @type {import("../../app/api.js").ApiError} */ (thrown);
        setError(message);
        if (status === 404) return;
      }
      timer = setTimeout(step, EVERY_MS);
    };
    step();
    return () => { isGone = true; clearTimeout(timer); };
  }, []);
  if (error) return html`<p class="field-error" role="alert">${error}</p>`;
  if (!trace) return null;
  return html`<div class="ops-running" data-testid="trace">
    <p role="status">${trace.why_ended ? html`Ended: <strong>${trace.why_ended}</strong>` : html`<span class="ops-dot" aria-hidden="true"></span> Tracing`}</p>
    <p class="ops-of">${count(trace.kept)} of at most ${count(trace.limit)} messages kept, ${count(trace.seen)} seen</p>
    ${messages.current.length > 0 && html`<div class="ops-scroll" tabindex="0" role="region" aria-label="Traced messages"><table class="ops-table">
      <thead><tr><th scope="col">At</th><th scope="col">Message</th><th scope="col">Waited</th><th scope="col">Ran</th><th scope="col">Outcome</th></tr></thead>
      ${[...messages.current].reverse().map((each) => html`<${Traced} key=${each.number} message=${each} />`)}</table></div>`}
  </div>`;
}

/** One message; what is long stands below, over all columns. @param {{message: TracedMessage}} props */
function Traced({ message }) {
  const { type, sender, request_id: request, at, wait_ms: wait, run_ms: run, outcome, body } = message;
  return html`<tbody><tr><td><${When} at=${at} /></td><td class="ops-grow">${type}</td>
    <td class="ops-number">${length(wait)}</td><td class="ops-number">${length(run)}</td>
    <td class=${outcome === "failed" ? "ops-danger" : ""}>${outcome}</td></tr>
    ${(sender || request || body) && html`<tr><td class="ops-below" colspan="5">
      ${sender && html`<div class="ops-of">from ${sender}</div>`}
      ${request && html`<div class="ops-of">request <code>${request}</code></div>`}
      ${body && html`<pre class="ops-body">${body}</pre>`}</td></tr>`}</tbody>`;
}
