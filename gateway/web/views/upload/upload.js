// @ts-check
/** Choosing files, naming them, and following each until it plays. */
import { html, useEffect, useRef, useState } from "../../app/dom.js";
import { bytes } from "../../app/format.js";
import { instance } from "../../app/store.js";
import { choose, findBroken, items, news, start } from "../../app/upload.js";
import { icon } from "../../ui/icon.js";
import { useTitle } from "../../ui/state.js";
import { UploadItem } from "./item.js";

/** What the file dialog offers; the server looks into the file itself and decides. */
const ACCEPT = "audio/*,.flac,.wav,.aif,.aiff,.mp3,.m4a,.ogg,.opus";

export function Upload() {
  useTitle("Upload");
  useEffect(() => { findBroken(); }, []);
  const list = items.value;
  const chosen = list.filter(({ state }) => state === "chosen").length;
  return html`<div class="page page-narrow">
    <header class="page-head"><h1>Upload</h1></header>
    <${DropZone} small=${list.length > 0} />
    <p class="sr-only" role="status" data-testid="upload-news">${news.value}</p>
    ${list.length > 0 && html`<ul class="upload-list" aria-label="Uploads" data-testid="upload-list">
      ${list.map((item) => html`<${UploadItem} key=${item.id} item=${item} />`)}</ul>`}
    ${chosen > 0 && html`<div class="upload-go"><button type="button" class="button button-primary button-large" onClick=${start}>
      ${icon("upload")} ${chosen === 1 ? "Upload 1 track" : `Upload ${chosen} tracks`}</button></div>`}
  </div>`;
}

/** @param {{small: boolean}} props */
function DropZone({ small }) {
  const [over, setOver] = useState(false);
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const limit = instance.value?.limits.max_upload_bytes;
  const handlers = {
    onDragOver(/** @type {DragEvent} */ event) { event.preventDefault(); setOver(true); },
    onDragLeave(/** @type {DragEvent} */ event) { if (event.target === event.currentTarget) setOver(false); },
    onDrop(/** @type {DragEvent} */ event) {
      event.preventDefault();
      setOver(false);
      choose(event.dataTransfer?.files ?? []);
    },
  };
  const onChange = (/** @type {any} */ event) => {
    choose(event.currentTarget.files);
    event.currentTarget.value = "";
  };
  return html`<div class=${`drop ${small ? "drop-small" : ""} ${over ? "is-over" : ""}`} data-testid="drop-zone" ...${handlers}>
    ${icon("cloud-upload")}
    <p class="drop-title">Drop audio files here</p>
    <p class="drop-hint">WAV, FLAC, AIFF, MP3, AAC, Ogg and Opus${limit ? `, up to ${bytes(limit)} each` : ""}</p>
    <button type="button" class="button" onClick=${() => input.current?.click()}>Choose files</button>
    <input ref=${input} class="sr-only" type="file" multiple accept=${ACCEPT} aria-label="Audio files" tabindex="-1" onChange=${onChange} />
  </div>`;
}
