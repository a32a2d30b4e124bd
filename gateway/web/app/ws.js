// @ts-check
/** The live connection: one socket, every request answered once or failed, and lost connections taken up again. */
import { ApiError } from "./api.js";
import { signal } from "./dom.js";

/** @typedef {import("../types/wire").Frame} Frame */
/** @typedef {{state: "idle" | "connecting" | "ready" | "waiting" | "stopped", late: boolean, retryAt: number, reason: string}} Connection */

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;
const ANSWER_MS = 15_000;
const PROBE_MS = 5000;
/** A blip shorter than this is nobody's business. */
const BANNER_AFTER_MS = 2000;

/** @type {{value: Connection}} */
export const connection = signal(/** @type {Connection} */ ({ state: "idle", late: false, retryAt: 0, reason: "" }));

/** @type {WebSocket | null} */
let socket = null;
let attempt = 0;
let nextId = 1;
let retryTimer = 0;
let bannerTimer = 0;
let announcedDelayMs = 0;
let lastFrameAt = 0;
/** @type {Map<string, {resolve: (d: any) => void, reject: (error: Error) => void, timer: number}>} */
const asked = new Map();
/** @type {Map<string, Set<(frame: Frame) => void>>} */
const listeners = new Map();

/** @param {Partial<Connection>} change */
const update = (change) => { connection.value = { ...connection.value, ...change }; };

/** Calls back for each frame of a type; "ready" means connected and signed in. @param {string} type @param {(frame: Frame) => void} callback */
export function on(type, callback) {
  if (!listeners.has(type)) listeners.set(type, new Set());
  listeners.get(type)?.add(callback);
}

export function connect() {
  attempt = 0;
  open();
}

/** Ends the connection on purpose; nothing is tried again until `connect`. */
export function disconnect() {
  clearTimeout(retryTimer);
  disarmBanner();
  const old = socket;
  socket = null;
  old?.close(1000);
  failAll("disconnected");
  update({ state: "idle", late: false, reason: "" });
}

/**
 * Sends a frame and waits for its ack. Rejects with the server's problem, or with code "disconnected" or "timeout",
 * after which nobody knows whether it took effect.
 * @param {string} type @param {unknown} d @returns {Promise<any>}
 */
export function request(type, d, timeoutMs = ANSWER_MS) {
  return new Promise((resolve, reject) => {
    if (connection.value.state !== "ready") {
      reject(new ApiError(0, { code: "disconnected", detail: "Not connected." }));
      return;
    }
    const id = send(type, d);
    const timer = setTimeout(() => {
      asked.delete(id);
      reject(new ApiError(0, { code: "timeout", detail: "The server did not answer." }));
    }, timeoutMs);
    asked.set(id, { resolve, reject, timer });
  });
}

/** @param {string} type @param {unknown} d */
function send(type, d) {
  const id = String(nextId++);
  socket?.send(JSON.stringify({ t: type, id, d }));
  return id;
}

/** The banner's clock runs from the loss, not from each attempt. */
function armBanner() {
  bannerTimer ||= setTimeout(() => update({ late: true }), BANNER_AFTER_MS);
}

function disarmBanner() {
  clearTimeout(bannerTimer);
  bannerTimer = 0;
}

function open() {
  clearTimeout(retryTimer);
  armBanner();
  update({ state: "connecting" });
  nextId = 1;
  const opened = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/v1/ws?v=1`);
  const old = socket;
  socket = opened;
  old?.close(1000);
  opened.onmessage = (event) => { if (socket === opened) receive(event.data); };
  opened.onclose = (event) => { if (socket === opened) closed(event.code, event.reason); };
}

/** @param {string} data one object, or several with newlines between */
function receive(data) {
  lastFrameAt = Date.now();
  for (const line of data.split("\n")) if (line) handle(JSON.parse(line));
}

/** @param {Frame} frame */
function handle(frame) {
  if (frame.t === "hello") send("auth", {});
  if (frame.t === "ready") {
    attempt = 0;
    disarmBanner();
    update({ state: "ready", late: false, retryAt: 0, reason: "" });
  }
  if (frame.t === "server.draining") announcedDelayMs = frame.d?.retry_after_ms ?? 0;
  if (frame.t === "ack" || frame.t === "error") settle(frame);
  else for (const callback of listeners.get(frame.t) ?? []) callback(frame);
}

/** @param {Frame} frame */
function settle(frame) {
  const waiting = asked.get(frame.id ?? "");
  if (!waiting) return;
  asked.delete(frame.id ?? "");
  clearTimeout(waiting.timer);
  if (frame.t === "ack") waiting.resolve(frame.d);
  else waiting.reject(new ApiError(frame.d?.status ?? 0, frame.d ?? {}));
}

/** @param {string} code */
function failAll(code) {
  for (const { reject, timer } of asked.values()) {
    clearTimeout(timer);
    reject(new ApiError(0, { code, detail: "The connection was lost." }));
  }
  asked.clear();
}

/** @param {number} code 4500 to 4999 mean: do not come back @param {string} reason */
function closed(code, reason) {
  socket = null;
  failAll("disconnected");
  if (code >= 4500 && code <= 4999) {
    disarmBanner();
    update({ state: "stopped", late: true, reason: reason || `The server closed the connection (${code}).` });
    for (const callback of listeners.get("stopped") ?? []) callback({ t: "stopped", d: { code } });
    return;
  }
  // Full jitter: a thousand pages that lost the same server do not come back in the same second.
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
  const delay = announcedDelayMs + Math.random() * ceiling;
  announcedDelayMs = 0;
  attempt += 1;
  armBanner();
  update({ state: "waiting", retryAt: Date.now() + delay });
  retryTimer = setTimeout(retryNow, delay);
}

/** Tries again without waiting for the delay. */
export function retryNow() {
  if (connection.value.state === "waiting") open();
}

/** After sleep or a change of network the socket may be dead without knowing: any frame within a while proves it is not. */
function probe() {
  if (connection.value.state === "waiting") retryNow();
  if (connection.value.state !== "ready") return;
  const asking = socket;
  const since = Date.now();
  send("ping", {});
  setTimeout(() => {
    if (socket !== asking || lastFrameAt >= since) return;
    asking?.close(1000);
    closed(1006, "");
  }, PROBE_MS);
}

addEventListener("online", probe);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && Date.now() - lastFrameAt > 30_000) probe();
});
