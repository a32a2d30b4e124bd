// @ts-check
/** Processing as it happens: live events when connected, polling when they stay away. */
import { api } from "./api.js";
import { fetchTrack, jobCell, me, putProgress, trackCell } from "./store.js";
import { connection, on } from "./ws.js";

/** @typedef {import("../types/wire").Track} Track @typedef {import("../types/wire").Job} Job */

const POLL_MS = 2000;
/** Live events come about once a second; after this silence we ask. */
const SILENCE_MS = 6000;

/** When we last heard of each watched track, by id. @type {Map<string, number>} */
const heard = new Map();
/** How many views watch each track. @type {Map<string, number>} */
const watchers = new Map();
let timer = 0;

/** Whether a job has come to its end. @param {Job | null} job */
export const isOver = (job) => !!job && ["published", "done", "failed", "cancelled"].includes(job.state);

for (const type of ["job.progress", "job.done"]) {
  on(type, ({ d }) => {
    if (!d?.track || !d.job) return;
    heard.set(d.track.id, Date.now());
    putProgress(d);
  });
}

/** Keeps a track and its job fresh until the returned function is called. @param {string} trackId */
export function watch(trackId) {
  watchers.set(trackId, (watchers.get(trackId) ?? 0) + 1);
  timer ||= setInterval(poll, POLL_MS);
  return () => {
    const left = (watchers.get(trackId) ?? 1) - 1;
    if (left) watchers.set(trackId, left);
    else watchers.delete(trackId);
    if (watchers.size) return;
    clearInterval(timer);
    timer = 0;
  };
}

function poll() {
  for (const id of watchers.keys()) {
    const quiet = Date.now() - (heard.get(id) ?? 0) > SILENCE_MS;
    if (!settled(id) && (quiet || connection.value.state !== "ready")) refresh(id);
  }
}

/** @param {string} id */
function settled(id) {
  const track = trackCell(id).value;
  return !!track && track.state !== "processing" && track.state !== "playable";
}

/** Asks for the track and its job; the job is told to its owner only. @param {string} id */
export async function refresh(id) {
  const known = jobCell(id).value;
  const mine = trackCell(id).value?.owner.id === me.value?.id;
  try {
    if (mine) jobCell(id).value = await api("GET", known ? `/jobs/${known.id}` : `/tracks/${id}/job`);
  } catch {
    // Out of reach for now: the track itself still tells its state.
  }
  await fetchTrack(id).catch(() => {});
}

/** @param {string} trackId @param {Job} job */
export async function cancelJob(trackId, job) {
  jobCell(trackId).value = await api("POST", `/jobs/${job.id}/cancel`) ?? job;
  await refresh(trackId);
}

/** @param {string} trackId @param {Job} job */
export async function retryJob(trackId, job) {
  jobCell(trackId).value = await api("POST", `/jobs/${job.id}/retry`) ?? job;
  await refresh(trackId);
}
