// @ts-check
/** One file on its way: its name, what is happening to it, and the one or two things that can be done now. */
import { html, useRef } from "../../app/dom.js";
import { bytes, hue, percent } from "../../app/format.js";
import { playTrack } from "../../app/player.js";
import { isPlayable, jobCell, trackCell } from "../../app/store.js";
import { canGoOn, change, choose, goOn, pause, remove } from "../../app/upload.js";
import { Cover, icon } from "../../ui/icon.js";
import { Bar, Processing } from "../../ui/progress.js";

/** @param {{item: import("../../app/upload.js").Item}} props */
export function UploadItem({ item }) {
  const track = item.trackId ? trackCell(item.trackId).value : null;
  return html`<li class="upload-item" data-upload=${item.name} style=${track ? { "--hue": hue(track.id) } : null}>
    ${track ? html`<${Cover} track=${track} />` : html`<span class="upload-art">${icon("audio-lines")}</span>`}
    <div class="upload-body">
      <${Name} item=${item} track=${track} />
      <${Status} item=${item} track=${track} />
    </div>
    <${Actions} item=${item} track=${track} />
  </li>`;
}

/** @param {{item: import("../../app/upload.js").Item, track: import("../../types/wire").Track | null}} props */
function Name({ item, track }) {
  const id = `title-${item.id}`;
  if (item.state === "chosen") {
    return html`<div class="field"><label for=${id}>Title</label>
      <input id=${id} value=${item.title} maxlength="200" autocomplete="off"
        onInput=${(/** @type {any} */ event) => change(item.id, { title: event.currentTarget.value })} /></div>
      <div class="field"><label for=${`who-${item.id}`}>Who may hear it</label>
      <select id=${`who-${item.id}`} value=${item.visibility}
        onChange=${(/** @type {any} */ event) => change(item.id, { visibility: event.currentTarget.value })}>
        <option value="public">Everybody</option><option value="unlisted">Whoever has the link</option>
        <option value="followers">My followers</option><option value="private">Only me</option>
      </select></div>`;
  }
  return html`<p class="upload-title">${track ? html`<a href=${`/tracks/${track.id}`}>${track.title}</a>` : item.title || item.name}</p>`;
}

/** What the server's words leave open. @type {Record<string, string>} */
const SENTENCES = {
  quota_exceeded: "Your account has no room for this file. Remove uploads that are not finished, or ask whoever runs this place for more room.",
  storage_full: "The server's disk is full. What arrived of this file is kept: go on once there is room.",
};

/** @param {{item: import("../../app/upload.js").Item, track: import("../../types/wire").Track | null}} props */
function Status({ item, track }) {
  const { state, error, name, size } = item;
  if (state === "chosen") return html`<p class="upload-file">${name} · ${bytes(size)}</p>`;
  if (state === "waiting") return html`<p class="upload-file">Waiting · ${bytes(size)}</p>`;
  if (state === "failed") {
    return html`<p class="field-error" role="alert">${SENTENCES[error?.code ?? ""] ?? error?.message}</p>
      ${error?.requestId && html`<p class="request-id">Request <code>${error.requestId}</code></p>`}`;
  }
  if (state !== "accepted") return html`<${Sent} item=${item} />`;
  return html`${track?.state === "published" ? html`<p class="upload-done">${icon("check")} Published</p>` : html`<${Processing} trackId=${item.trackId} />`}
    <${Known} item=${item} />`;
}

/** What is a track already: the very file, or the recording in it. @param {{item: import("../../app/upload.js").Item}} props */
function Known({ item }) {
  const recording = jobCell(item.trackId).value?.sounds_like;
  if (item.duplicateOf) return html`<p class="upload-file">You have <a href=${`/tracks/${item.duplicateOf}`}>a track of the same file</a> already.</p>`;
  return recording && html`<p class="upload-file">The same recording is <a href=${`/tracks/${recording}`}>a track</a> already.</p>`;
}

/** @type {Record<string, string>} */
const DOING = { sending: "Uploading", paused: "Paused", broken: "Broken off" };

/** @param {{item: import("../../app/upload.js").Item}} props */
function Sent({ item: { state, name, title, sent, size, waits } }) {
  const share = sent / size;
  return html`<p class="processing-line"><span>${waits ? "Waiting" : DOING[state]} · ${bytes(sent)} of ${bytes(size)}</span>
      <span class="number">${percent(share)}</span></p><${Bar} label=${`Uploading ${title || name}`} share=${share} />
    ${waits && html`<p class="upload-file">${waits.message.replace(/\.?$/, ".")} It goes on by itself.</p>`}
    ${state === "broken" && html`<p class="upload-file">Choose ${name} again and it goes on from here.</p>`}`;
}

/** @param {{item: import("../../app/upload.js").Item, track: import("../../types/wire").Track | null}} props */
function Actions({ item, track }) {
  const { id, state } = item;
  const name = item.title || item.name;
  const isUnderWay = ["waiting", "sending", "paused", "broken"].includes(state);
  return html`<div class="upload-actions">
    ${track && isPlayable(track) && html`<button type="button" class="button button-small button-hue" aria-label=${`Play ${track.title}`}
      onClick=${() => playTrack(track.id)}>${icon("play")} Play</button>`}
    ${canGoOn(item) && html`<button type="button" class="button button-small" onClick=${() => goOn(id)}>${icon("refresh-cw")} Retry</button>`}
    ${state === "sending" && html`<button type="button" class="button button-small" aria-label=${`Pause ${name}`}
      onClick=${() => pause(id)}>${icon("pause")} Pause</button>`}
    ${state === "paused" && html`<button type="button" class="button button-small" aria-label=${`Resume ${name}`}
      onClick=${() => goOn(id)}>${icon("play")} Resume</button>`}
    ${state === "broken" && html`<${Again} name=${item.name} />`}
    ${isUnderWay && html`<button type="button" class="button button-small button-quiet" aria-label=${`Cancel ${name}`}
      onClick=${() => remove(id)}>Cancel</button>`}
    ${!isUnderWay && html`<button type="button" class="icon-button" aria-label=${`Remove ${name} from this list`}
      onClick=${() => remove(id)}>${icon("x")}</button>`}
  </div>`;
}

/** The browser gave the file to the page before the reload only. @param {{name: string}} props */
function Again({ name }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  return html`<button type="button" class="button button-small" onClick=${() => input.current?.click()}>Choose file</button>
    <input ref=${input} class="sr-only" type="file" aria-label=${`The file ${name} again`} tabindex="-1"
      onChange=${(/** @type {any} */ event) => choose(event.currentTarget.files)} />`;
}
