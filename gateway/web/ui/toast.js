// @ts-check
/** Short notices of what an action met, with the request id to give to whoever runs the place. */
import { html, signal } from "../app/dom.js";
import { icon } from "./icon.js";

const SHOWN_MS = 8000;
const MOST = 4;

/** @typedef {{id: number, text: string, requestId: string}} Toast */

const toasts = signal(/** @type {Toast[]} */ ([]));
let lastId = 0;

/** @param {unknown} error */
export function tellError(error) {
  const { message, requestId = "" } = /** @type {import("../app/api.js").ApiError} */ (error);
  const id = ++lastId;
  toasts.value = [...toasts.value.slice(1 - MOST), { id, text: message, requestId }];
  setTimeout(() => dismiss(id), SHOWN_MS);
}

/** @param {number} id */
function dismiss(id) {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite" data-testid="toasts">
    ${toasts.value.map(({ id, text, requestId }) => html`
      <div class="toast" key=${id}>
        ${icon("circle-alert")}
        <div><p>${text}</p>${requestId && html`<p class="request-id">Request <code>${requestId}</code></p>`}</div>
        <button type="button" class="icon-button" aria-label="Dismiss" onClick=${() => dismiss(id)}>${icon("x")}</button>
      </div>`)}
  </div>`;
}
