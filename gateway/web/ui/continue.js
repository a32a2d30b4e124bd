// @ts-check
/** What one stopped in, to go on with. */
import { html, useEffect } from "../app/dom.js";
import { clock, hue } from "../app/format.js";
import { loadUnfinished, unfinished } from "../app/listening.js";
import * as player from "../app/player.js";
import { trackCell } from "../app/store.js";
import { Cover, icon } from "./icon.js";

export function Continue() {
  useEffect(() => { loadUnfinished(); }, []);
  if (!unfinished.value.length) return null;
  return html`<section class="continue" aria-labelledby="continue-title">
    <h2 id="continue-title">Continue listening</h2>
    <ul>${unfinished.value.map((each) => html`<${Card} key=${each.trackId} ...${each} />`)}</ul>
  </section>`;
}

/** @param {{trackId: string, at: number}} props */
function Card({ trackId, at }) {
  const track = trackCell(trackId).value;
  if (!track) return null;
  const length = (track.duration_ms ?? 0) / 1000;
  return html`<li style=${{ "--hue": hue(trackId) }}>
    <button type="button" class="continue-card" onClick=${() => player.playTrack(trackId, [trackId], at)}
      aria-label=${`Continue ${track.title} at ${clock(at)}`}>
      <${Cover} track=${track} />
      <span class="continue-text"><span class="continue-title">${track.title}</span>
        <span class="continue-left">${length ? `${clock(length - at)} left` : clock(at)}</span></span>
      ${icon("play")}
    </button></li>`;
}
