// @ts-check
/** Who is signed in, what this instance is, and every track and job the page has heard of: one signal a thing, patched by REST and live events alike. */
import { api } from "./api.js";
import { batch, computed, signal } from "./dom.js";

/** @typedef {import("../types/wire").Track} Track @typedef {import("../types/wire").Job} Job */

/** `undefined` until the server told. @type {{value: import("../types/wire").User | null | undefined}} */
export const me = signal(undefined);

/** Whether the one who is signed in may see and steer what runs here. */
export const isOperator = computed(() => ["ops", "admin"].some((role) => me.value?.roles.includes(role)));

/** @type {{value: import("../types/wire").Instance | null}} */
export const instance = signal(null);

export const startError = signal(/** @type {Error | null} */ (null));

/** Asks who we are and where; an answer of 401 is an answer. */
export async function identify() {
  startError.value = null;
  try {
    const [user, about] = await Promise.all([whoAmI(), api("GET", "/instance")]);
    batch(() => { instance.value = about; me.value = user; });
  } catch (error) {
    startError.value = /** @type {Error} */ (error);
  }
}

async function whoAmI() {
  try {
    return await api("GET", "/me");
  } catch (error) {
    if (/** @type {any} */ (error).status === 401) return null;
    throw error;
  }
}

/** @type {Map<string, {value: Track | null}>} */
const tracks = new Map();
/** The last job of each track, by the track's id. @type {Map<string, {value: Job | null}>} */
const jobs = new Map();

/** @template T @param {Map<string, {value: T | null}>} map @param {string} id @returns {{value: T | null}} */
function cell(map, id) {
  let found = map.get(id);
  if (!found) map.set(id, (found = signal(/** @type {T | null} */ (null))));
  return found;
}

export const trackCell = (/** @type {string} */ id) => cell(tracks, id);
export const jobCell = (/** @type {string} */ trackId) => cell(jobs, trackId);

/** @param {Track} track */
export function putTrack(track) {
  trackCell(track.id).value = track;
  return track;
}

/** @param {{track: Track, job: Job}} news of one track's processing, from an upload's answer or a live event */
export function putProgress({ track, job }) {
  batch(() => {
    putTrack(track);
    jobCell(track.id).value = job;
    const { ids, status } = catalogue.value;
    if (status === "ready" && !ids.includes(track.id)) {
      catalogue.value = { ...catalogue.value, ids: [track.id, ...ids] };
    }
  });
}

/** @param {string} id @returns {Promise<Track>} */
export async function fetchTrack(id) {
  return putTrack(await api("GET", `/tracks/${id}`));
}

export const isPlayable = (/** @type {Track} */ track) => track.state === "playable" || track.state === "published";

/** @typedef {{ids: string[], next: string | null, status: "idle" | "loading" | "ready" | "error", error: Error | null}} Listing */

/** The newest tracks, in the server's order. @type {{value: Listing}} */
export const catalogue = signal(emptyListing());

/** @returns {Listing} */
function emptyListing() {
  return { ids: [], next: null, status: "idle", error: null };
}

/** Loads the first page again, or the page after what is there. @param {{more?: boolean}} [options] */
export async function loadCatalogue({ more = false } = {}) {
  const before = catalogue.value;
  if (before.status === "loading") return;
  catalogue.value = { ...before, status: "loading", error: null };
  try {
    const cursor = more && before.next ? `&cursor=${encodeURIComponent(before.next)}` : "";
    const page = await api("GET", `/tracks?limit=50${cursor}`);
    const fresh = page.data.map((/** @type {Track} */ track) => putTrack(track).id);
    const ids = more ? [...new Set([...before.ids, ...fresh])] : refreshed(before.ids, fresh);
    const next = !more && ids.length > fresh.length ? before.next : page.next_cursor;
    catalogue.value = { ids, next, status: "ready", error: null };
  } catch (error) {
    catalogue.value = { ...before, status: "error", error: /** @type {Error} */ (error) };
  }
}

/** The first page anew, and after it the further pages that were loaded before. @param {string[]} known @param {string[]} fresh */
function refreshed(known, fresh) {
  const last = known.indexOf(fresh.at(-1) ?? "");
  return last < 0 ? fresh : [...fresh, ...known.slice(last + 1)];
}

/** @type {Map<string, Promise<import("../types/wire").Peaks>>} */
const waveforms = new Map();

/** The waveform of a track, fetched once; a failed fetch may be tried again. @param {Track} track */
export function fetchPeaks(track) {
  const url = /** @type {string} */ (track.peaks_url);
  let found = waveforms.get(url);
  if (!found) {
    found = api("GET", url).then((answer) => answer.buckets);
    found.catch(() => waveforms.delete(url));
    waveforms.set(url, found);
  }
  return found;
}

/** @type {(() => void)[]} */
const forgetters = [];

/** Each module that holds something of the one who is signed in says how it lets go of it. @param {() => void} callback */
export function whenForgotten(callback) {
  forgetters.push(callback);
}

/** Empties the page for the next one who signs in here. */
export function forget() {
  batch(() => { for (const callback of forgetters) callback(); });
}

whenForgotten(() => {
  tracks.clear();
  jobs.clear();
  catalogue.value = emptyListing();
});
