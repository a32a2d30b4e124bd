// @ts-check
/** One file on its way: its name, what is happening to it, and the one or two things that can be done now. */
import { html } from "../../app/dom.js";
import { bytes, hue, percent } from "../../app/format.js";
import { playTrack } from "../../app/player.js";
import { isPlayable, trackCell } from "../../app/store.js";
import { change, remove, retry } from "../../app/upload.js";
import { Cover, icon } from "../../ui/icon.js";
import { Bar, Processing } from "../../ui/progress.js";

/** @param {{item: import("../../app/upload.js").Item}} props */
export function UploadItem({ item }) {
  const track = item.trackId ? trackCell(item.trackId).value : null;
  return html`<li class="upload-item" data-upload=${item.file.name} style=${track ? { "--hue": hue(track.id) } : null}>
    ${track ? html`<${Cover} id=${track.id} />` : html`<span class="upload-art">${icon("audio-lines")}</span>`}
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
        onInput=${(/** @type {any} */ event) => change(item.id, { title: event.currentTarget.value })} /></div>`;
  }
  return html`<p class="upload-title">${track ? html`<a href=${`/tracks/${track.id}`}>${track.title}</a>` : item.title || item.file.name}</p>`;
}

/** @param {{item: import("../../app/upload.js").Item, track: import("../../types/wire").Track | null}} props */
function Status({ item, track }) {
  const { state, error, file, sent } = item;
  if (state === "chosen") return html`<p class="upload-file">${file.name} · ${bytes(file.size)}</p>`;
  if (state === "waiting") return html`<p class="upload-file">Waiting · ${bytes(file.size)}</p>`;
  if (state === "failed") {
    return html`<p class="field-error" role="alert">${error?.message}</p>
      ${error?.requestId && html`<p class="request-id">Request <code>${error.requestId}</code></p>`}`;
  }
  if (state === "sending") {
    return html`<p class="processing-line"><span>Uploading · ${bytes(file.size * sent)} of ${bytes(file.size)}</span>
      <span class="number">${percent(sent)}</span></p><${Bar} label=${`Uploading ${item.title || file.name}`} share=${sent} />`;
  }
  if (track?.state === "published") return html`<p class="upload-done">${icon("check")} Published</p>`;
  return html`<${Processing} trackId=${item.trackId} />`;
}

/** @param {{item: import("../../app/upload.js").Item, track: import("../../types/wire").Track | null}} props */
function Actions({ item, track }) {
  const name = item.title || item.file.name;
  const canRetry = item.state === "failed" && item.error?.code !== "payload_too_large";
  const ends = item.state === "waiting" || item.state === "sending";
  return html`<div class="upload-actions">
    ${track && isPlayable(track) && html`<button type="button" class="button button-small button-hue" aria-label=${`Play ${track.title}`}
      onClick=${() => playTrack(track.id)}>${icon("play")} Play</button>`}
    ${canRetry && html`<button type="button" class="button button-small" onClick=${() => retry(item.id)}>${icon("refresh-cw")} Retry</button>`}
    ${ends && html`<button type="button" class="button button-small button-quiet" aria-label=${`Cancel ${name}`}
      onClick=${() => remove(item.id)}>Cancel</button>`}
    ${!ends && html`<button type="button" class="icon-button" aria-label=${`Remove ${name} from this list`}
      onClick=${() => remove(item.id)}>${icon("x")}</button>`}
  </div>`;
}
