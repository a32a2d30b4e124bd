// @ts-check
/** A track's processing: its stages, how far it got, and what can be done about it. */
import { html, useEffect } from "../app/dom.js";
import { percent } from "../app/format.js";
import { cancelJob, isOver, refresh, retryJob, watch } from "../app/jobs.js";
import { jobCell, trackCell } from "../app/store.js";
import { useAction } from "./form.js";
import { icon } from "./icon.js";

/** @type {Record<string, string>} */
const STAGES = {
  queued: "Waiting for its turn", probing: "Reading the file", encoding: "Encoding", packaging: "Finishing",
  published: "Ready", failed: "Failed", cancelled: "Cancelled",
};

/** @param {{label: string, share: number}} props */
export function Bar({ label, share }) {
  return html`<div class="bar" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.floor(share * 100)}><span style=${{ transform: `scaleX(${share})` }}></span></div>`;
}

/** Follows a track live while shown. @param {{trackId: string}} props */
export function Processing({ trackId }) {
  const track = trackCell(trackId).value;
  const job = jobCell(trackId).value;
  const { busy, error, run } = useAction();
  useEffect(() => watch(trackId), [trackId]);
  useEffect(() => { if (!job) refresh(trackId); }, [trackId]);
  if (!track) return null;
  const failed = track.state === "failed" || job?.state === "failed";
  const reason = job?.error?.detail ?? track.error?.detail;
  const over = failed || track.state === "cancelled" || isOver(job);
  const stage = failed ? STAGES.failed : STAGES[job?.state ?? ""] ?? (track.state === "cancelled" ? STAGES.cancelled : "Processing");
  return html`<div class=${failed ? "processing is-failed" : "processing"} data-testid="processing">
    <p class="processing-line"><span>${failed && icon("circle-alert")}${stage}</span>
      ${!over && job && html`<span class="number">${percent(job.progress)}</span>`}</p>
    ${!over && html`<${Bar} label=${`Processing ${track.title}`} share=${job?.progress ?? 0} />`}
    ${failed && reason && html`<p class="processing-reason" role="alert">${reason}</p>`}
    ${error && html`<p class="field-error" role="alert">${error.message}</p>`}
    <div class="processing-actions">
      ${job && over && html`<button type="button" class="button button-small" disabled=${busy}
        onClick=${() => run(() => retryJob(trackId, job))}>${icon("refresh-cw")} Retry</button>`}
      ${job && !over && html`<button type="button" class="button button-small button-quiet" disabled=${busy}
        onClick=${() => run(() => cancelJob(trackId, job))}>Cancel processing</button>`}
    </div>
  </div>`;
}
