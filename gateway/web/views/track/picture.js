// @ts-check
/** The picture of one's own track: chosen here, it is there once the server has made it small. */
import { api } from "../../app/api.js";
import { html } from "../../app/dom.js";
import { fetchTrack } from "../../app/store.js";
import { Field, FormError, useAction } from "../../ui/form.js";
import { Cover } from "../../ui/icon.js";

/** @typedef {import("../../types/wire").Track} Track */

const ASK_AGAIN_MS = 300;

/** @param {{track: Track}} props */
export function Picture({ track }) {
  const { busy, error, run } = useAction();
  const address = `/tracks/${track.id}/artwork`;
  const choose = (/** @type {Event & {currentTarget: HTMLInputElement}} */ { currentTarget: input }) => {
    const file = input.files?.[0];
    if (!file) return;
    const form = new FormData();
    form.append("file", file);
    run(async () => {
      await done(await api("POST", address, form));
      await fetchTrack(track.id);
    }).finally(() => { input.value = ""; });
  };
  const remove = () => run(async () => {
    await api("DELETE", address);
    await fetchTrack(track.id);
  });
  return html`<div class="picture">
    <${Cover} track=${track} />
    <${Field} label=${busy ? "Being made small…" : "Picture"} name="artwork" type="file" accept="image/*" disabled=${busy} onChange=${choose} />
    ${track.artwork_url && html`<button type="button" class="button" disabled=${busy} onClick=${remove}>Remove picture</button>`}
    <${FormError} error=${error} />
  </div>`;
}

/** Return once a job has ended well. @param {import("../../types/wire").Job} job */
async function done({ id, state, error }) {
  while (state !== "published") {
    if (error) throw Object.assign(new Error(error.detail), { errors: [] });
    if (state === "cancelled") return;
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    ({ state, error } = await api("GET", `/jobs/${id}`));
  }
}
