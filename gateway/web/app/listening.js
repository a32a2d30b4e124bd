// @ts-check
/** Tells the server how much of a track came out of this page: at the start, every so often, when it stops. Nothing waits for it. */
import { api, uuid } from "./api.js";
import { signal } from "./dom.js";
import { putTrack, whenForgotten } from "./store.js";

const REPORT_SECONDS = 15;
/** Media elements tell their time four times a second; more than this was a jump. */
const LONGEST_STEP_SECONDS = 1.5;
/** So many of what one stopped in fit above the list. */
const SHOWN = 6;

/** What sounds now: `heard` and `at` in seconds, `told` what of `heard` the server knows. @type {{trackId: string, id: string, heard: number, at: number, told: number} | null} */
let play = null;

/** @typedef {{trackId: string, at: number}} Unfinished */

/** Tracks one stopped in, newest first. */
export const unfinished = signal(/** @type {Unfinished[]} */ ([]));

/** Another track begins. @param {string} trackId */
export function begin(trackId) {
  tell();
  play = { trackId, id: uuid(), heard: 0, at: NaN, told: NaN };
}

/** The sound is here now. @param {number} at seconds */
export function hear(at) {
  if (!play) return;
  const step = at - play.at;
  if (step > 0 && step < LONGEST_STEP_SECONDS) play.heard += step;
  play.at = at;
  if (!(play.heard - play.told < REPORT_SECONDS)) tell();
}

/** Reports what is not known yet. */
export function tell() {
  if (!play || Number.isNaN(play.at) || play.told === play.heard) return;
  const { trackId, id } = play;
  play.told = play.heard;
  const body = { play_id: id, heard_ms: Math.round(play.heard * 1000), position_ms: Math.round(play.at * 1000) };
  // A lost report costs nothing: the next one carries the whole. One that is refused began on another day or address.
  api("POST", `/tracks/${trackId}/plays`, body, { keepalive: true }).catch((error) => {
    if (error.code === "already_exists" && play?.id === id) play = { ...play, id: uuid(), heard: 0, told: NaN };
  });
}

addEventListener("pagehide", tell);

export async function loadUnfinished() {
  try {
    const { data } = await api("GET", "/me/listening");
    unfinished.value = data.slice(0, SHOWN).map((/** @type {any} */ each) => ({ trackId: putTrack(each.track).id, at: each.position_ms / 1000 }));
  } catch {
    // The list of tracks says what is wrong; without this one the page is whole.
  }
}

whenForgotten(() => { play = null; unfinished.value = []; });
