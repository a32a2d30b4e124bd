// @ts-check
/** What plays: the queue, the position and the controls. The media element and its loader come with the first play. */
import { batch, computed, signal } from "./dom.js";
import { fetchTrack, isPlayable, trackCell, whenForgotten } from "./store.js";

/** @typedef {import("../types/wire").Track} Track */

const MEMORY = "veza.player";
const VOLUME = "veza.volume";
const WANTED = "veza.quality";
const QUEUE_LIMIT = 200;

/** Tests and doubtful browsers can ask for the browser's own HLS. */
export const forceNative = new URLSearchParams(location.search).get("native") === "1";

/** Ids of the tracks to play, in order. */
const queue = signal(/** @type {string[]} */ ([]));
const index = signal(0);

export const current = computed(() => {
  const id = queue.value[index.value];
  return id ? trackCell(id).value : null;
});
export const hasNext = computed(() => index.value + 1 < queue.value.length);
export const hasPrevious = computed(() => index.value > 0);

export const playing = signal(false);
export const buffering = signal(false);
export const position = signal(0);
/** What the media element says; of a track that is still encoding it knows only what is done. */
export const mediaDuration = signal(0);
export const duration = computed(() => Math.max((current.value?.duration_ms ?? 0) / 1000, mediaDuration.value));
export const quality = signal("");
/** What the track can be heard in, the least first. */
export const qualities = signal(/** @type {string[]} */ ([]));
/** The one to be heard wherever it is there; empty: as good as the connection carries, but nothing lossless. */
export const wanted = signal("");
export const playError = signal("");
export const volume = signal(1);
export const muted = signal(false);

/** @type {Promise<import("./playback.js").Engine> | null} */
let engine = null;
/** The track that the engine holds; another one in `current` means: load before playing. */
let loadedId = "";
let savedAt = 0;

function withEngine() {
  engine ??= import("./playback.js").then((module) => module.createEngine());
  return engine;
}

/** @param {string} id @param {string[]} [among] the list it stands in: what comes after it plays next @param {number} [at] seconds */
export function playTrack(id, among = [id], at = 0) {
  const start = Math.max(0, among.indexOf(id) - QUEUE_LIMIT / 2);
  const part = among.slice(start, start + QUEUE_LIMIT);
  select(part.includes(id) ? part : [id], id, at);
  play();
}

/** @param {string[]} ids @param {string} id @param {number} at */
function select(ids, id, at) {
  batch(() => {
    queue.value = ids;
    index.value = ids.indexOf(id);
    begin(at);
  });
}

/** @param {number} at */
function begin(at) {
  loadedId = "";
  batch(() => {
    position.value = at;
    mediaDuration.value = 0;
    quality.value = "";
    qualities.value = [];
    playError.value = "";
  });
}

/** Plays what is selected, from its place; after an error it is loaded anew. */
export async function play() {
  const track = current.value;
  if (!track) return;
  if (playError.value) loadedId = "";
  batch(() => { playError.value = ""; buffering.value = true; playing.value = true; });
  const ready = await withEngine();
  if (current.value?.id !== track.id) return;
  if (loadedId === track.id) {
    await ready.play();
    return;
  }
  loadedId = track.id;
  await ready.load(track.id);
}

export async function pause() {
  playing.value = false;
  (await withEngine()).pause();
  remember();
}

export const toggle = () => (playing.value ? pause() : play());

/** @param {number} seconds */
export async function seek(seconds) {
  const at = Math.max(0, Math.min(seconds, duration.value || seconds));
  position.value = at;
  if (current.value && loadedId === current.value.id) (await withEngine()).seek(at);
  remember();
}

export const seekBy = (/** @type {number} */ seconds) => seek(position.value + seconds);

export const next = () => step(1);

/** Back to the beginning first, as every player does. */
export function previous() {
  if (position.value > 3 || !hasPrevious.value) seek(0);
  else step(-1);
}

/** On to the nearest track in that direction that can be played. @param {1 | -1} direction @returns {Promise<boolean>} whether there was one */
async function step(direction) {
  const ids = queue.value;
  for (let to = index.value + direction; to >= 0 && to < ids.length; to += direction) {
    const track = trackCell(ids[to]).value ?? (await fetchTrack(ids[to]).catch(() => null));
    if (queue.value !== ids) return true;
    if (track && isPlayable(track)) {
      batch(() => { index.value = to; begin(0); });
      play();
      return true;
    }
  }
  return false;
}

/** Silence at the end of the last track. */
export async function ended() {
  if (!(await step(1))) batch(() => { playing.value = false; position.value = duration.value; });
}

/** @param {number} level 0 to 1 */
export function setVolume(level) {
  batch(() => { volume.value = Math.max(0, Math.min(1, level)); muted.value = false; });
  store(VOLUME, { level: volume.value });
}

/** @param {string} name one of `qualities`, or empty */
export function setQuality(name) {
  wanted.value = name;
  store(WANTED, name);
}

export function toggleMute() {
  muted.value = !muted.value;
}

whenForgotten(() => {
  batch(() => { queue.value = []; index.value = 0; playing.value = false; begin(0); });
  forgetStored(MEMORY);
  engine?.then((loaded) => loaded.stop());
});

/** Keeps the queue and the place for the next visit; called often, writes every few seconds. */
export function rememberSometimes() {
  if (Date.now() - savedAt > 5000) remember();
}

export function remember() {
  savedAt = Date.now();
  if (current.value) store(MEMORY, { ids: queue.value, id: current.value.id, at: position.value });
}

/** Brings back what was playing before the reload, paused at its place. */
export async function restore() {
  setVolume(recall(VOLUME)?.level ?? 1);
  wanted.value = String(recall(WANTED) ?? "");
  const saved = recall(MEMORY);
  if (!saved || current.value) return;
  try {
    await fetchTrack(saved.id);
    if (!current.value) select(saved.ids, saved.id, saved.at);
  } catch {
    forgetStored(MEMORY);
  }
}

addEventListener("pagehide", remember);

/** @param {string} key @param {unknown} value */
function store(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage may be full or forbidden; the player works without a memory.
  }
}

/** @param {string} key @returns {any} */
function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} key */
function forgetStored(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    // See `store`.
  }
}
