// @ts-check
/** Files on their way to the server: at most two at a time, each with its progress, pause and retry; views may come and go. */
import { ApiError, uuid } from "./api.js";
import { signal } from "./dom.js";
import { bytes } from "./format.js";
import { instance, putProgress, whenForgotten } from "./store.js";
import { arrived, discard, forget, mark, recall, recallAll, transfer } from "./tus.js";

const PARALLEL = 2;

/**
 * state: `chosen` waits for the person, `waiting` for its turn, `broken` (by a reload) for its file; `accepted` means that the
 * track exists and its job tells the rest. `waits` is why a file that is being sent does not get on at this moment.
 * @typedef {{id: string, file: File | null, name: string, size: number, modified: number, title: string, visibility: string,
 *   state: "chosen" | "waiting" | "sending" | "paused" | "broken" | "accepted" | "failed",
 *   sent: number, waits: ApiError | null, trackId: string, duplicateOf: string | null, error: ApiError | null}} Item
 */

/** @type {{value: Item[]}} */
export const items = signal([]);

/** What a screen reader is told of files that stop, go on or arrive. @type {{value: string}} */
export const news = signal("");

/** @type {Map<string, AbortController>} */
const transfers = new Map();

/** @type {Pick<Item, "visibility" | "sent" | "waits" | "trackId" | "duplicateOf" | "error">} */
const FRESH = { visibility: "public", sent: 0, waits: null, trackId: "", duplicateOf: null, error: null };

/** Puts files on the list. What broke off goes on; what is on its way already is left alone. @param {Iterable<File>} files */
export function choose(files) {
  for (const file of files) {
    const known = items.value.find((item) => isSame(item, mark(file)) && item.state !== "accepted");
    if (known) {
      if (known.state === "broken" || canGoOn(known)) goOn(known.id, { file });
      continue;
    }
    const item = newItem(file);
    items.value = [...items.value, item];
    if (recall(item) && !item.error) goOn(item.id);
  }
}

/** @param {import("./tus.js").Mark} one @param {import("./tus.js").Mark} other */
const isSame = (one, other) => one.name === other.name && one.size === other.size && one.modified === other.modified;

/** Whether what failed may do better the next time. @param {Item} item */
export const canGoOn = ({ state, error }) => state === "failed" && error?.code !== "payload_too_large";

/** @param {File} file @returns {Item} */
function newItem(file) {
  const limit = instance.value?.limits.max_upload_bytes ?? Infinity;
  const detail = file.size ? `This file is ${bytes(file.size)}; this place takes ${bytes(limit)} at most.` : "This file is empty.";
  const isRefused = !file.size || file.size > limit;
  const error = isRefused ? new ApiError(413, { code: "payload_too_large", detail }) : null;
  const title = recall(mark(file))?.title ?? titleOf(file.name);
  return { ...FRESH, ...mark(file), id: uuid(), file, title, error, state: error ? "failed" : "chosen" };
}

/** A file's name without its ending, for a track that nobody gave a title. @param {string} name */
const titleOf = (name) => name.replace(/\.[^.]+$/, "").trim().slice(0, 200) || name;

/** Lists what a reload of the page broke off, if the server still has it. */
export async function findBroken() {
  for (const { location, ...memory } of recallAll()) {
    const sent = await arrived(location).catch(() => 0);
    if (sent === null || sent === memory.size) forget(memory);
    else if (!items.value.some((item) => isSame(item, memory))) {
      items.value = [...items.value, { ...FRESH, ...memory, id: uuid(), file: null, sent, state: "broken" }];
    }
  }
}

/** @param {string} id @param {Partial<Item>} changes */
export function change(id, changes) {
  items.value = items.value.map((item) => (item.id === id ? { ...item, ...changes } : item));
}

/** Sends everything that was chosen. */
export function start() {
  items.value = items.value.map((item) => (item.state === "chosen" ? { ...item, state: "waiting" } : item));
  advance();
}

/** Sends a file, on from where it broke off. @param {string} id @param {Partial<Item>} [changes] */
export function goOn(id, changes = {}) {
  change(id, { ...changes, state: "waiting", error: null });
  advance();
}

/** @param {string} id */
export function pause(id) {
  transfers.get(id)?.abort();
  settle(id, { state: "paused", waits: null }, "is paused");
}

/** Takes a file off the list; what arrived of it is forgotten, unless it is a track. @param {string} id */
export function remove(id) {
  transfers.get(id)?.abort();
  const item = items.value.find((each) => each.id === id);
  if (item && item.state !== "accepted") discard(item);
  items.value = items.value.filter((each) => each.id !== id);
  advance();
}

whenForgotten(() => {
  for (const { id } of items.value) transfers.get(id)?.abort();
  items.value = [];
  recallAll().forEach(forget);
  guardLeaving();
});

function advance() {
  const sending = items.value.filter((item) => item.state === "sending").length;
  const due = items.value.filter((item) => item.state === "waiting").slice(0, Math.max(0, PARALLEL - sending));
  for (const item of due) send(item);
  guardLeaving();
}

/** @param {Item} item */
async function send({ id, file, name, title, visibility }) {
  if (!file) return;
  const { signal: ended } = take(id);
  change(id, { state: "sending" });
  try {
    const outcome = await transfer(file, { title: title.trim() || titleOf(name), visibility }, ended, (told) => follow(id, told));
    putProgress(outcome);
    settle(id, { state: "accepted", trackId: outcome.track.id, duplicateOf: outcome.duplicate_of }, "is uploaded");
  } catch (error) {
    if (!ended.aborted) settle(id, { state: "failed", error: /** @type {ApiError} */ (error) }, "could not be uploaded");
  }
}

/** @param {string} id */
function take(id) {
  const controller = new AbortController();
  transfers.set(id, controller);
  return controller;
}

/** @param {string} id @param {import("./tus.js").News} told */
function follow(id, told) {
  if (told.waits) announce(id, `waits. ${told.waits.message}`);
  change(id, told);
}

/** @param {string} id @param {Partial<Item>} changes @param {string} what a screen reader is told */
function settle(id, changes, what) {
  transfers.delete(id);
  announce(id, what);
  change(id, changes);
  advance();
}

/** @param {string} id @param {string} what */
function announce(id, what) {
  const item = items.value.find((each) => each.id === id);
  if (item) news.value = `${item.title || item.name} ${what}`;
}

/** @param {BeforeUnloadEvent} event */
const ask = (event) => event.preventDefault();

/** Leaving the page would stop what is on its way; the listener stands only then, since it costs the page its fast Back. */
function guardLeaving() {
  if (items.value.some(({ state }) => state === "waiting" || state === "sending")) addEventListener("beforeunload", ask);
  else removeEventListener("beforeunload", ask);
}
