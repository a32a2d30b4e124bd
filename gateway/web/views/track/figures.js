// @ts-check
/** A maker's figures of one track: plays by day, and where listeners stop. Every chart has its numbers as text. */
import { api } from "../../app/api.js";
import { html, useEffect, useState } from "../../app/dom.js";
import { clock } from "../../app/format.js";
import { Failure } from "../../ui/state.js";

const DAYS = 30;
const DAY_MS = 86_400_000;
const HEIGHT = 40;

/** @typedef {{plays: number, days: {day: string, plays: number, listeners: number, heard_ms: number}[], stops: number[]}} TrackFigures */

/** @param {{track: import("../../types/wire").Track}} props */
export function Figures({ track }) {
  const [found, setFound] = useState(/** @type {TrackFigures | null} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const load = () => { setError(null); api("GET", `/tracks/${track.id}/statistics?days=${DAYS}`).then(setFound, setError); };
  useEffect(load, [track.id]);
  if (error) return html`<${Failure} what="The figures could not be loaded." error=${error} onRetry=${load} />`;
  if (!found) return null;
  const heardMs = found.days.reduce((sum, day) => sum + day.heard_ms, 0);
  const recent = found.days.reduce((sum, day) => sum + day.plays, 0);
  const byDay = lastDays(found);
  const stopped = found.stops.reduce((sum, count) => sum + count, 0);
  const length = (track.duration_ms ?? 0) / 1000;
  const most = found.stops.indexOf(Math.max(...found.stops));
  return html`<section class="figures" aria-labelledby="figures-title" data-testid="figures">
    <h2 id="figures-title">How it is heard</h2>
    <dl><div><dt>Plays</dt><dd>${found.plays}</dd></div>
      <div><dt>Last ${DAYS} days</dt><dd>${recent}</dd></div>
      <div><dt>Time heard</dt><dd>${clock(heardMs / 1000)}</dd></div></dl>
    <figure><${Bars} values=${byDay} label=${`Plays on each of the last ${DAYS} days, ${Math.max(...byDay)} at most`} />
      <figcaption>Plays a day, until today</figcaption></figure>
    ${stopped > 0 && html`<figure><${Bars} values=${found.stops}
        label=${`Where ${stopped} listenings stopped; most at ${clock((length * most) / found.stops.length)}`} />
      <figcaption>Where listeners stop, from the beginning to ${clock(length)}</figcaption></figure>`}
    <p class="figures-note">A play is half a minute heard, once a listener and hour. Your own are not counted. You alone see this.</p>
  </section>`;
}

/** @param {TrackFigures} figures plays of the last days, those without any too */
function lastDays({ days }) {
  const plays = new Map(days.map(({ day, plays: count }) => [day, count]));
  const dayAt = (/** @type {number} */ back) => new Date(Date.now() - back * DAY_MS).toISOString().slice(0, 10);
  return Array.from({ length: DAYS }, (_, at) => plays.get(dayAt(DAYS - 1 - at)) ?? 0);
}

/** @param {{values: number[], label: string}} props */
function Bars({ values, label }) {
  const top = Math.max(1, ...values);
  return html`<svg class="figure-bars" viewBox=${`0 0 ${values.length} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${label}>
    ${values.map((value, at) => {
      const height = Math.max(value ? 2 : 0.6, (HEIGHT * value) / top);
      return html`<rect key=${at} x=${at + 0.1} y=${HEIGHT - height} width="0.8" height=${height} class=${value ? "" : "is-none"} />`;
    })}</svg>`;
}
