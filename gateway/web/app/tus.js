// @ts-check
/** One file to the server by tus 1.0: it goes on where it broke off, over reloads of the page and restarts of the server. */
import { ApiError, problem, unreachable } from "./api.js";

const ROOT = "/api/v1/uploads";
const VERSION = "1.0.0";
/** Where the page remembers its uploads: the browser lends a file for as long as the page stands, and no longer. */
const SHELF = "veza.upload:";
const WAITS_MS = [1000, 2000, 5000, 10_000, 30_000];
/** A connection that carries nothing for so long is lost, though nobody says so. The server may sync a file for a minute. */
const SILENCE_MS = 90_000;

/** What a file is known by. @typedef {{name: string, size: number, modified: number}} Mark */
/** What is remembered of an upload. @typedef {Mark & {title: string, location: string}} Memory */
/** How it goes: bytes that arrived, and why it waits at this moment, if it does. @typedef {{sent?: number, waits?: ApiError | null}} News */
/** @typedef {{track: import("../types/wire").Track, job: import("../types/wire").Job, duplicate_of: string | null}} Outcome */

/** @param {File} file @returns {Mark} */
export const mark = ({ name, size, lastModified }) => ({ name, size, modified: lastModified });

/** @param {Mark} file */
const key = ({ name, size, modified }) => `${SHELF}${size}:${modified}:${name}`;

/** @param {Mark} file @returns {Memory | null} */
export const recall = (file) => JSON.parse(localStorage.getItem(key(file)) ?? "null");

/** @returns {Memory[]} */
export function recallAll() {
  return Object.keys(localStorage).filter((name) => name.startsWith(SHELF)).map((name) => JSON.parse(localStorage[name]));
}

/** @param {Mark} file */
export const forget = (file) => localStorage.removeItem(key(file));

/**
 * How many bytes of an upload arrived; null if there is no such upload any more.
 * @param {string} location @param {AbortSignal} [signal] @returns {Promise<number | null>}
 */
export async function arrived(location, signal) {
  try {
    const answer = await ask("HEAD", location, {}, signal);
    return Number(answer.headers.get("Upload-Offset"));
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 410)) return null;
    throw error;
  }
}

/** Lets the server forget what arrived of a file. @param {Mark} file */
export function discard(file) {
  const known = recall(file);
  forget(file);
  if (known) ask("DELETE", known.location).catch(() => {}); // out of reach: it expires by itself
}

/**
 * Brings a file to the server, however long the server stays away; `signal` pauses it.
 * @param {File} file @param {{title: string, visibility: string}} told @param {AbortSignal} signal @param {(news: News) => void} tell @returns {Promise<Outcome>}
 */
export async function transfer(file, told, signal, tell) {
  let [furthest, failures] = [-1, 0];
  for (;;) {
    try {
      const { location, offset } = await whereabouts(file, told, signal);
      if (offset > furthest) [furthest, failures] = [offset, 0];
      tell({ sent: offset, waits: null });
      if (offset === file.size) return await outcome(location, file, signal);
      await append(location, file, offset, signal, tell);
    } catch (error) {
      if (signal.aborted || !(error instanceof ApiError) || !passes(error)) throw error;
      await refuseUnreadable(file);
      tell({ waits: error });
      await pause(error.retryAfterMs ?? WAITS_MS[Math.min(failures++, WAITS_MS.length - 1)], signal);
    }
  }
}

/** Where an upload is, and where it goes on; it begins if it has not. @param {File} file @param {{title: string, visibility: string}} told @param {AbortSignal} signal */
async function whereabouts(file, told, signal) {
  const known = recall(mark(file));
  const offset = known && await arrived(known.location, signal);
  if (known && offset !== null) return { location: known.location, offset };
  const metadata = [["filename", file.name], ...Object.entries(told)].map(([name, text]) => `${name} ${base64(text)}`).join();
  const answer = await ask("POST", ROOT, { "Upload-Length": String(file.size), "Upload-Metadata": metadata }, signal);
  const location = answer.headers.get("Location") ?? "";
  localStorage.setItem(key(mark(file)), JSON.stringify({ ...mark(file), title: told.title, location }));
  return { location, offset: 0 };
}

/** @param {string} location @param {File} file @param {AbortSignal} signal @returns {Promise<Outcome>} */
async function outcome(location, file, signal) {
  const told = await (await ask("GET", location, {}, signal)).json();
  if (!told.track) throw new ApiError(503, { detail: "The server makes the track of it.", retryable: true });
  forget(mark(file));
  return told;
}

/**
 * XMLHttpRequest, because fetch tells nothing about what was sent so far.
 * @param {string} location @param {File} file @param {number} offset @param {AbortSignal} signal @param {(news: News) => void} tell
 * @returns {Promise<void>}
 */
function append(location, file, offset, signal, tell) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    let silence = setTimeout(abort, SILENCE_MS);
    request.open("PATCH", location);
    request.setRequestHeader("Tus-Resumable", VERSION);
    request.setRequestHeader("Upload-Offset", String(offset));
    request.setRequestHeader("Content-Type", "application/offset+octet-stream");
    request.upload.onprogress = ({ loaded }) => {
      clearTimeout(silence);
      silence = setTimeout(abort, SILENCE_MS);
      tell({ sent: offset + loaded });
    };
    request.onload = () => {
      if (request.status === 204) resolve();
      else reject(problem(request.status, request.responseText, request.getResponseHeader("X-Request-Id")));
    };
    request.onerror = request.onabort = () => reject(unreachable());
    request.onloadend = () => {
      clearTimeout(silence);
      signal.removeEventListener("abort", abort);
    };
    signal.addEventListener("abort", abort);
    request.send(file.slice(offset));
  });
}

/** Whether the same request may do well a little later: no answer, a busy server, or another tab that was quicker. @param {ApiError} error */
function passes({ status, code, isRetryable }) {
  if (code === "storage_full") return false;
  return isRetryable || [0, 502, 503, 504].includes(status) || code === "upload_offset";
}

/** A file that was changed or taken away looks like a lost connection. @param {File} file */
async function refuseUnreadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new ApiError(0, { code: "unreadable", detail: "This file was changed or taken away. Choose it again." });
  }
}

/** Waits; less if the network comes back meanwhile. @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}

/** @param {"GET" | "HEAD" | "POST" | "DELETE"} method @param {string} url @param {Record<string, string>} [headers] @param {AbortSignal} [signal] */
async function ask(method, url, headers, signal) {
  let answer;
  try {
    answer = await fetch(url, { method, signal, headers: { Accept: "application/json", "Tus-Resumable": VERSION, ...headers } });
  } catch {
    throw unreachable();
  }
  if (answer.ok) return answer;
  throw problem(answer.status, await answer.text(), answer.headers.get("X-Request-Id"));
}

/** @param {string} text */
const base64 = (text) => btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
