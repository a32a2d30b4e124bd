// @ts-check
/** One track: its shape to seek on, and its processing until it is published. `?t=83` starts at that second. */
import { html, lazy, useEffect, useState } from "../../app/dom.js";
import { ago, clock, hue, playCount } from "../../app/format.js";
import * as player from "../../app/player.js";
import { route } from "../../app/router.js";
import { fetchTrack, isPlayable, me, trackCell } from "../../app/store.js";
import { Cover, icon } from "../../ui/icon.js";
import { usePeaks } from "../../ui/peaks.js";
import { Processing } from "../../ui/progress.js";
import { Failure, Skeleton, useTitle } from "../../ui/state.js";
import { SeekBar } from "../../ui/waveform.js";

const Figures = lazy(async () => (await import("./figures.js")).Figures);
const Badges = lazy(async () => (await import("./owner.js")).Badges);
const Edit = lazy(async () => (await import("./owner.js")).Edit);
const Download = lazy(async () => (await import("./owner.js")).Download);
const Follow = lazy(async () => (await import("./owner.js")).Follow);

export function TrackPage() {
  const { id } = route.value;
  const track = trackCell(id).value;
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const load = () => { setError(null); fetchTrack(id).catch(setError); };
  useEffect(load, [id]);
  useTitle(track?.title ?? "Track");
  if (error && !track) return html`<div class="page"><${Failure} what="This track could not be loaded." error=${error} onRetry=${load} /></div>`;
  if (!track) return html`<div class="page"><${Skeleton} rows=${1} kind="hero" /></div>`;
  return html`<article class="track-page" style=${{ "--hue": hue(id) }} key=${id}>
    <header class="track-hero">
      <${Cover} track=${track} size="cover-large" />
      <div class="track-hero-text">
        <h1>${track.title}</h1>
        <p class="track-hero-artist">${track.artist || track.owner.name}</p>
        <p class="track-facts">
          <span>${clock(track.duration_ms === null ? null : track.duration_ms / 1000)}</span>
          ${track.album && html`<span>${track.album}${track.track_number ? `, no. ${track.track_number}` : ""}</span>`}
          ${track.genre && html`<span>${track.genre}</span>`}
          ${track.bpm !== null && html`<span>${Math.round(track.bpm)} BPM</span>`}
          ${track.key && html`<span>${track.key}</span>`}
          ${track.plays > 0 && html`<span>${playCount(track.plays)}</span>`}
          <${Badges} track=${track} />
          <span>Uploaded by ${track.owner.name}, <time datetime=${track.created_at}>${ago(track.created_at)}</time></span>
        </p>
        <div class="track-acts">
          ${isPlayable(track) && html`<${PlayControl} track=${track} />`}
          ${me.value && (me.value.id === track.owner.id ? html`<${Edit} track=${track} />` : html`<${Follow} track=${track} />`)}
          ${track.state === "published" && (me.value?.id === track.owner.id || track.downloads !== "nobody") && html`<${Download} track=${track} />`}
        </div>
      </div>
    </header>
    ${isPlayable(track) && html`<${Shape} track=${track} />`}
    ${track.state !== "published" && html`<${Processing} trackId=${id} />`}
    ${track.state === "published" && me.value?.id === track.owner.id && html`<${Figures} track=${track} />`}
  </article>`;
}

/** Where Play begins: the second in the address, as long as the track is not under way. */
function startOf() {
  return Math.max(0, Number(route.value.query.get("t")) || 0);
}

/** @param {{track: import("../../types/wire").Track}} props */
function PlayControl({ track }) {
  const isCurrent = player.current.value?.id === track.id;
  const playing = isCurrent && player.playing.value;
  const onClick = () => (isCurrent ? player.toggle() : player.playTrack(track.id, [track.id], startOf()));
  return html`<button type="button" class="button button-hue button-large" onClick=${onClick}>
    ${playing ? icon("pause") : icon("play")} ${playing ? "Pause" : "Play"}</button>`;
}

/** @param {{track: import("../../types/wire").Track}} props */
function Shape({ track }) {
  const peaks = usePeaks(track);
  const isCurrent = player.current.value?.id === track.id;
  const duration = (isCurrent && player.duration.value) || (track.duration_ms ?? 0) / 1000;
  const position = isCurrent ? player.position.value : startOf();
  const onSeek = (/** @type {number} */ at) => (isCurrent ? player.seek(at) : player.playTrack(track.id, [track.id], at));
  return html`<div class="track-wave" data-testid="track-waveform">
    <${SeekBar} label=${`Position in ${track.title}`} peaks=${peaks} position=${position} duration=${duration} onSeek=${onSeek} />
    <div class="track-wave-times"><time>${clock(position)}</time><time>${clock(duration || null)}</time></div>
  </div>`;
}
