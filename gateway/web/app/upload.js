// @ts-check
/** Files on their way to the server: at most two at a time, each with its progress, cancel and retry; views may come and go. */
import { ApiError, problem, unreachable, uuid } from "./api.js";
import { signal } from "./dom.js";
import { bytes } from "./format.js";
import { instance, putProgress, whenForgotten } from "./store.js";

const PARALLEL = 2;

/**
 * state: `chosen` waits for the person, `waiting` for its turn; `accepted` means that the track exists and its job tells the rest.
 * @typedef {{id: string, file: File, title: string, state: "chosen" | "waiting" | "sending" | "accepted" | "failed",
 *   sent: number, trackId: string, error: ApiError | null}} Item
 */

/** @type {{value: Item[]}} */
export const items = signal([]);

/** @type {Map<string, XMLHttpRequest>} */
const requests = new Map();

/** @param {Iterable<File>} files */
export function choose(files) {
  const chosen = Array.from(files, (file) => newItem(file));
  items.value = [...items.value, ...chosen];
}

/** @param {File} file @returns {Item} */
function newItem(file) {
  const limit = instance.value?.limits.max_upload_bytes;
  const tooBig = limit && file.size > limit;
  const detail = `This file is ${bytes(file.size)}; this place takes ${bytes(limit ?? 0)} at most.`;
  return {
    id: uuid(), file, title: titleOf(file), sent: 0, trackId: "",
    state: tooBig ? "failed" : "chosen",
    error: tooBig ? new ApiError(413, { code: "payload_too_large", detail }) : null,
  };
}

/** A file's name without its ending, for a track that nobody gave a title. @param {File} file */
const titleOf = ({ name }) => name.replace(/\.[^.]+$/, "").trim().slice(0, 200) || name;

/** @param {string} id @param {Partial<Item>} news */
export function change(id, news) {
  items.value = items.value.map((item) => (item.id === id ? { ...item, ...news } : item));
}

/** Sends everything that was chosen. */
export function start() {
  items.value = items.value.map((item) => (item.state === "chosen" ? { ...item, state: "waiting" } : item));
  advance();
}

/** @param {string} id */
export function retry(id) {
  change(id, { state: "waiting", sent: 0, error: null });
  advance();
}

/** Takes a file off the list; one that is being sent is broken off. @param {string} id */
export function remove(id) {
  requests.get(id)?.abort();
  items.value = items.value.filter((item) => item.id !== id);
  advance();
}

whenForgotten(() => { for (const { id } of items.value) remove(id); });

function advance() {
  const sending = items.value.filter((item) => item.state === "sending").length;
  const due = items.value.filter((item) => item.state === "waiting").slice(0, Math.max(0, PARALLEL - sending));
  for (const item of due) send(item);
  guardLeaving();
}

/** XMLHttpRequest, because fetch tells nothing about what was sent so far. @param {Item} item */
function send({ id, file, title }) {
  const form = new FormData();
  form.append("title", title.trim() || titleOf(file));
  form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  requests.set(id, request);
  change(id, { state: "sending" });
  request.open("POST", "/api/v1/tracks");
  request.setRequestHeader("Accept", "application/json");
  request.upload.onprogress = ({ loaded, total }) => change(id, { sent: total ? loaded / total : 0 });
  request.onload = () => finish(id, request);
  request.onerror = () => settle(id, { state: "failed", error: unreachable() });
  request.onabort = () => settle(id, {});
  request.send(form);
}

/** @param {string} id @param {XMLHttpRequest} request */
function finish(id, request) {
  if (request.status !== 202) {
    const error = problem(request.status, request.responseText, request.getResponseHeader("X-Request-Id"));
    settle(id, { state: "failed", error });
    return;
  }
  const answer = JSON.parse(request.responseText);
  putProgress(answer);
  settle(id, { state: "accepted", sent: 1, trackId: answer.track.id });
}

/** @param {string} id @param {Partial<Item>} news */
function settle(id, news) {
  requests.delete(id);
  change(id, news);
  advance();
}

/** @param {BeforeUnloadEvent} event */
const ask = (event) => event.preventDefault();

/** Leaving the page would lose what is on its way; the listener stands only then, since it costs the page its fast Back. */
function guardLeaving() {
  if (items.value.some(({ state }) => state === "waiting" || state === "sending")) addEventListener("beforeunload", ask);
  else removeEventListener("beforeunload", ask);
}
