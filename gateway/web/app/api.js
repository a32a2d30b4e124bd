// @ts-check
/** One way to the REST API: JSON in, JSON out, and every failure an `ApiError` with the server's own words. */

const BASE = "/api/v1";

/** @typedef {{pointer: string, code: string, detail: string}} FieldError */

export class ApiError extends Error {
  /** @param {number} status @param {any} problem RFC 9457 body, or {} */
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    /** @type {string} */
    this.code = problem.code ?? "unknown";
    /** @type {string} */
    this.requestId = problem.request_id ?? "";
    /** Whether the same request may do well later. @type {boolean} */
    this.isRetryable = problem.retryable ?? false;
    /** @type {number | null} */
    this.retryAfterMs = problem.retry_after_ms ?? null;
    /** @type {FieldError[]} */
    this.errors = problem.errors ?? [];
  }
}

/** @returns {ApiError} what is thrown when no answer came at all */
export function unreachable() {
  return new ApiError(0, { code: "unreachable", detail: "The server cannot be reached. Check your connection." });
}

/** @type {() => void} */
let onUnauthorized = () => {};

/** @param {() => void} callback called when the server no longer knows who we are */
export function whenUnauthorized(callback) {
  onUnauthorized = callback;
}

/**
 * The error for an answer that is not a success.
 * @param {number} status @param {string} text the body @param {string | null} requestId
 */
export function problem(status, text, requestId) {
  if (status === 401) onUnauthorized();
  /** @type {any} */
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy in between answers in HTML; the status is all there is to tell.
  }
  return new ApiError(status, { request_id: requestId, ...body });
}

/**
 * @param {"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} method
 * @param {string} path below /api/v1, or an absolute path that the server gave us
 * @param {unknown} [body]
 * @param {{keepalive?: boolean, headers?: Record<string, string>}} [options] keepalive: it is sent though the page goes
 * @returns {Promise<any>}
 */
export async function api(method, path, body, options) {
  const response = await answer(method, path.startsWith("/api/") ? path : BASE + path, body, options);
  const text = await response.text();
  if (!response.ok) throw problem(response.status, text, response.headers.get("X-Request-Id"));
  return text ? JSON.parse(text) : null;
}

/** @param {string} method @param {string} url @param {unknown} body @param {{keepalive?: boolean, headers?: Record<string, string>}} [options] */
async function answer(method, url, body, options) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", ...options?.headers };
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  try {
    return await fetch(url, { ...options, method, headers, credentials: "same-origin", body: isForm ? body : JSON.stringify(body) });
  } catch {
    throw unreachable();
  }
}

/** A random UUID, also where the page is not a secure context and `crypto.randomUUID` is missing (plain http on a LAN). */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
