// @ts-check
/** One track in a list: play, what it is, its shape, and how far its processing got. */
import { html, lazy, useEffect, useRef, useState } from "../app/dom.js";
import { ago, clock, hue, percent } from "../app/format.js";
import * as player from "../app/player.js";
import { isPlayable, jobCell, trackCell } from "../app/store.js";
import { Cover, icon } from "./icon.js";

const RowWaveform = lazy(async () => (await import("./rowwave.js")).RowWaveform);

/** @param {{id: string, among: string[]}} props among: the list it stands in, which becomes the queue */
export function TrackRow({ id, among }) {
  const track = trackCell(id).value;
  const [ref, seen] = useSeen();
  if (!track) return null;
  const isCurrent = player.current.value?.id === id;
  return html`<li class=${isCurrent ? "track-row is-current" : "track-row"} style=${{ "--hue": hue(id) }} ref=${ref} data-track=${id}>
    <${PlayCover} track=${track} among=${among} />
    <div class="track-text">
      <a class="track-title" href=${`/tracks/${id}`}>${track.title}</a>
      <span class="track-artist">${track.artist || track.owner.name}</span>
    </div>
    <div class="track-shape">${isPlayable(track) && track.peaks_url
      ? seen && html`<${RowWaveform} track=${track} isCurrent=${isCurrent} />`
      : html`<${StateLabel} track=${track} />`}</div>
    <span class="track-length">${clock(track.duration_ms === null ? null : track.duration_ms / 1000)}</span>
    <span class="track-age">${ago(track.created_at)}</span>
  </li>`;
}

/** True once the element has been near the screen. @returns {[any, boolean]} */
function useSeen() {
  const ref = useRef(/** @type {Element | null} */ (null));
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!ref.current) return undefined;
    const watcher = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) { setSeen(true); watcher.disconnect(); }
    }, { rootMargin: "200px" });
    watcher.observe(ref.current);
    return () => watcher.disconnect();
  }, []);
  return [ref, seen];
}

/** The cover as a play button. @param {{track: import("../types/wire").Track, among?: string[]}} props */
export function PlayCover({ track, among = [track.id] }) {
  const isCurrent = player.current.value?.id === track.id;
  const playing = isCurrent && player.playing.value;
  const onClick = () => (isCurrent ? player.toggle() : player.playTrack(track.id, among));
  return html`<button type="button" class=${playing ? "play-cover is-playing" : "play-cover"} disabled=${!isPlayable(track)}
    aria-label=${`${playing ? "Pause" : "Play"} ${track.title}`} onClick=${onClick}>
    <${Cover} track=${track} />${playing ? icon("pause") : icon("play")}</button>`;
}

/** Where a track that is not ready stands. @param {{track: import("../types/wire").Track}} props */
export function StateLabel({ track }) {
  const job = jobCell(track.id).value;
  if (track.state === "failed") return html`<span class="state state-failed">${icon("circle-alert")} Failed</span>`;
  if (track.state === "cancelled") return html`<span class="state">Cancelled</span>`;
  if (track.state === "published") return null;
  const share = job ? percent(job.progress) : "";
  return html`<span class="state state-working"><span class="pulse" aria-hidden="true"></span>
    ${track.state === "playable" ? "Playable, still encoding" : "Processing"} ${share}</span>`;
}
