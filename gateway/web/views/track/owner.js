// @ts-check
/** What an owner decides of a track: its name, and who may hear it from when on. Others follow the owner here. */
import { api } from "../../app/api.js";
import { html, useEffect, useState } from "../../app/dom.js";
import { fetchTrack, putTrack } from "../../app/store.js";
import { Dialog } from "../../ui/dialog.js";
import { Field, FormError, useAction, values } from "../../ui/form.js";
import { Picture } from "./picture.js";

/** @typedef {import("../../types/wire").Track} Track */

/** Who may hear it: as the owner chooses it, and as everybody is told. @type {[Track["visibility"], string, string][]} */
const CHOICES = [
  ["public", "Everybody", ""],
  ["unlisted", "Whoever has the link", "Unlisted"],
  ["followers", "My followers", "For followers"],
  ["private", "Only me", "Private"],
];

/** @type {[Track["downloads"], string][]} */
const TAKERS = [["nobody", "Nobody"], ["followers", "My followers"], ["everybody", "Everybody who may hear it"]];

/** Who may hear it, unless that is everybody. @param {{track: Track}} props */
export function Badges({ track }) {
  const waits = track.release_at && new Date(track.release_at) > new Date();
  const name = CHOICES.find(([choice]) => choice === track.visibility)?.[2];
  return html`${name && html`<span class="track-badge">${name}</span>`}
    ${waits && html`<span class="track-badge">Out on <time datetime=${track.release_at}>${new Date(track.release_at ?? "").toLocaleString()}</time></span>`}`;
}

/** @param {{track: Track}} props */
export function Edit({ track }) {
  const [isOpen, setOpen] = useState(false);
  return html`<button type="button" class="button" onClick=${() => setOpen(true)}>Edit</button>
    ${isOpen && html`<${Form} track=${track} onClose=${() => setOpen(false)} />`}`;
}

/** @param {{track: Track, onClose: () => void}} props */
function Form({ track, onClose }) {
  const { busy, error, run } = useAction();
  const submit = async (/** @type {Event} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const { release_at: out, track_number: number, ...texts } = values(event);
    const body = { ...texts, track_number: number ? Number(number) : null, release_at: out ? new Date(String(out)).toISOString() : null };
    const changed = await run(() => api("PATCH", `/tracks/${track.id}`, body, { headers: { "If-Match": "*" } }));
    if (!changed) return;
    putTrack(changed);
    form.closest("dialog")?.close();
  };
  return html`<${Dialog} title="Edit the track" onClose=${onClose}>
    <${Picture} track=${track} />
    <form onSubmit=${submit} class="form">
      <${Field} label="Title" name="title" error=${error} value=${track.title} required maxlength="200" autocomplete="off" autofocus />
      <${Field} label="Artist" name="artist" error=${error} value=${track.artist} maxlength="200" autocomplete="off" />
      <${Field} label="Album" name="album" error=${error} value=${track.album} maxlength="200" autocomplete="off" />
      <${Field} label="Number on it" name="track_number" error=${error} type="number" min="0" max="9999" value=${track.track_number ?? ""} />
      <${Field} label="Genre" name="genre" error=${error} value=${track.genre} maxlength="200" autocomplete="off" />
      <${Choice} label="Who may hear it" name="visibility" choices=${CHOICES} chosen=${track.visibility} />
      <${Choice} label="Who may download the file" name="downloads" choices=${TAKERS} chosen=${track.downloads} />
      <${Field} label="Out on" name="release_at" error=${error} type="datetime-local" value=${local(track.release_at)}
        hint="Empty: at once. Until then it is yours alone." />
      <${FormError} error=${error} fields=${["title", "artist", "album", "track_number", "genre", "release_at"]} />
      <button class="button button-primary" disabled=${busy}>Save</button>
    </form>
  <//>`;
}

/** @param {{label: string, name: string, choices: [string, string, ...any[]][], chosen: string}} props */
function Choice({ label, name, choices, chosen }) {
  const id = `field-${name}`;
  return html`<div class="field"><label for=${id}>${label}</label>
    <select id=${id} name=${name} value=${chosen}>
      ${choices.map(([choice, text]) => html`<option value=${choice} selected=${choice === chosen}>${text}</option>`)}
    </select></div>`;
}

/** @type {[import("../../types/wire").Download["format"], string][]} */
const FORMATS = [["original", "As it was uploaded"], ["mp3", "MP3"], ["opus", "Opus"]];
const ASK_AGAIN_MS = 1500;

/** Takes a track home: the file that was uploaded, or a copy that is made first. @param {{track: Track}} props */
export function Download({ track }) {
  const address = `/api/v1/tracks/${track.id}/download`;
  const [making, setMaking] = useState("");
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const take = async (/** @type {Event & {currentTarget: HTMLSelectElement}} */ event) => {
    const format = event.currentTarget.value;
    event.currentTarget.value = "";
    setError(null);
    try {
      setMaking(format);
      if (format === "original") await api("GET", `/tracks/${track.id}/downloads`);  // else a refusal is a page of its own
      else await made(track.id, format);
      location.assign(`${address}?format=${format}`);
    } catch (caught) {
      setError(/** @type {Error} */ (caught));
    } finally {
      setMaking("");
    }
  };
  return html`<select class="button" aria-label="Download" disabled=${Boolean(making)} onChange=${take}>
      <option value="">${making ? "One moment…" : "Download"}</option>
      ${FORMATS.map(([format, text]) => html`<option value=${format}>${text}</option>`)}
    </select>
    ${error && html`<span class="field-error" role="alert">${error.message}</span>`}`;
}

/** Return once there is a copy. @param {string} trackId @param {string} format */
async function made(trackId, format) {
  let { state } = await api("POST", `/tracks/${trackId}/downloads`, { format });
  while (state !== "ready") {
    if (state !== "making") throw new Error("It could not be made. Take it as it was uploaded.");
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    const { data } = await api("GET", `/tracks/${trackId}/downloads`);
    state = data.find((/** @type {import("../../types/wire").Download} */ each) => each.format === format).state;
  }
}

/** What an input for local time shows. @param {string | null} moment */
function local(moment) {
  if (!moment) return "";
  const at = new Date(moment);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Follows whoever published the track, or no more. @param {{track: Track}} props */
export function Follow({ track }) {
  const { owner } = track;
  const [following, setFollowing] = useState(/** @type {{followers: number, is_following: boolean} | null} */ (null));
  const { busy, run } = useAction();
  useEffect(() => { run(async () => setFollowing(await api("GET", `/users/${owner.id}/follow`))); }, [owner.id]);
  if (!following) return null;
  const toggle = () => run(async () => {
    setFollowing(await api(following.is_following ? "DELETE" : "PUT", `/users/${owner.id}/follow`));
    await fetchTrack(track.id);
  });
  return html`<button type="button" class="button" aria-pressed=${following.is_following} disabled=${busy} onClick=${toggle}>
    ${following.is_following ? "Following" : "Follow"} ${owner.name}</button>`;
}
