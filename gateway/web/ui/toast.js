// @ts-check
/** Short messages that need no answer: what an action met, with the request id to give to whoever runs the place. */
import { html, signal } from "../app/dom.js";
import { icon } from "./icon.js";

const SHOWN_MS = 8000;

/** @typedef {{id: number, text: string, requestId: string, isError: boolean}} Toast */

const toasts = signal(/** @type {Toast[]} */ ([]));
let lastId = 0;

/** @param {string} text */
export const tell = (text) => push(text, "", false);

/** @param {unknown} error */
export function tellError(error) {
  const { message, requestId = "" } = /** @type {import("../app/api.js").ApiError} */ (error);
  push(message, requestId, true);
}

/** @param {string} text @param {string} requestId @param {boolean} isError */
function push(text, requestId, isError) {
  const id = ++lastId;
  toasts.value = [...toasts.value.slice(-3), { id, text, requestId, isError }];
  setTimeout(() => dismiss(id), SHOWN_MS);
}

/** @param {number} id */
function dismiss(id) {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite" data-testid="toasts">
    ${toasts.value.map(({ id, text, requestId, isError }) => html`
      <div class=${isError ? "toast toast-error" : "toast"} key=${id}>
        ${isError ? icon("circle-alert") : icon("check")}
        <div><p>${text}</p>${requestId && html`<p class="request-id">Request <code>${requestId}</code></p>`}</div>
        <button type="button" class="icon-button" aria-label="Dismiss" onClick=${() => dismiss(id)}>${icon("x")}</button>
      </div>`)}
  </div>`;
}
