// @ts-check
/** The player at the foot of every view: what plays, where it is, and the controls. */
import { html } from "../app/dom.js";
import { clock, hue } from "../app/format.js";
import { listenToKeys } from "../app/hotkeys.js";
import * as player from "../app/player.js";
import { Cover, icon } from "./icon.js";
import { usePeaks } from "./peaks.js";
import { SeekBar } from "./waveform.js";

listenToKeys();

export function Dock() {
  const track = player.current.value;
  const peaks = usePeaks(track);
  if (!track) return null;
  const { position, duration } = player;
  return html`<section class="dock" aria-label="Player" style=${{ "--hue": hue(track.id) }} data-testid="dock">
    <div class="dock-track">
      <a href=${`/tracks/${track.id}`} class="dock-cover" tabindex="-1" aria-hidden="true"><${Cover} track=${track} /></a>
      <div class="dock-text">
        <a class="dock-title" href=${`/tracks/${track.id}`}>${track.title}</a>
        ${player.playError.value ? html`<${Trouble} />` : html`<span class="dock-artist">${track.artist || track.owner.name}</span>`}
      </div>
    </div>
    <div class="dock-controls" role="group" aria-label="Playback">
      <button type="button" class="icon-button" aria-label="Previous" onClick=${player.previous}>${icon("skip-back")}</button>
      <${PlayButton} />
      <button type="button" class="icon-button" aria-label="Next" disabled=${!player.hasNext.value}
        onClick=${player.next}>${icon("skip-forward")}</button>
    </div>
    <div class="dock-seek">
      <time class="clock" data-testid="position">${clock(position.value)}</time>
      <${SeekBar} label="Seek" peaks=${peaks} position=${position.value} duration=${duration.value} onSeek=${player.seek} />
      <time class="clock" data-testid="duration">${clock(duration.value || null)}</time>
    </div>
    <div class="dock-side">
      <${Quality} />
      <${Volume} />
    </div>
  </section>`;
}

function PlayButton() {
  const playing = player.playing.value;
  const busy = player.buffering.value && playing;
  return html`<button type="button" class=${busy ? "play-button is-busy" : "play-button"} aria-label=${playing ? "Pause" : "Play"}
    aria-busy=${busy ? "true" : null} onClick=${player.toggle}>${playing ? icon("pause") : icon("play")}</button>`;
}

function Trouble() {
  return html`<span class="dock-error" role="alert">${player.playError.value}${" "}
    <button type="button" class="link-button" onClick=${player.play}>Retry</button></span>`;
}

/** What is heard now, and what is to be. */
function Quality() {
  const { quality, qualities, wanted } = player;
  const now = html`<span class="quality" data-testid="quality" title="Quality now playing">${quality.value}</span>`;
  if (qualities.value.length < 2) return now;
  return html`${!wanted.value && now}<select class="quality-choice" aria-label="Quality" value=${wanted.value}
    onChange=${(/** @type {any} */ event) => player.setQuality(event.currentTarget.value)}>
    <option value="">Auto</option>
    ${qualities.value.map((name) => html`<option value=${name}>${name}</option>`)}
    ${wanted.value && !qualities.value.includes(wanted.value) && html`<option value=${wanted.value}>${wanted.value}</option>`}
  </select>`;
}

function Volume() {
  const { muted, volume } = player;
  const silent = muted.value || volume.value === 0;
  return html`<div class="volume">
    <button type="button" class="icon-button" aria-label=${muted.value ? "Unmute" : "Mute"}
      onClick=${player.toggleMute}>${silent ? icon("volume-x") : icon("volume-2")}</button>
    <input type="range" class="range" min="0" max="1" step="0.01" aria-label="Volume" value=${muted.value ? 0 : volume.value}
      style=${{ "--share": muted.value ? 0 : volume.value }}
      onInput=${(/** @type {any} */ event) => player.setVolume(Number(event.currentTarget.value))} />
  </div>`;
}
