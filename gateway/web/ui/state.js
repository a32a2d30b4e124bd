// @ts-check
/** What a view shows when there is nothing, nothing yet, or an error instead of its content. */
import { html, useEffect } from "../app/dom.js";
import { instance } from "../app/store.js";

/** @param {{art: any, title: string, children?: any}} props */
export function Empty({ art, title, children }) {
  return html`<div class="empty">${art}<h2>${title}</h2>${children}</div>`;
}

/** @param {{error: any, onRetry: () => void, what: string}} props */
export function Failure({ error, onRetry, what }) {
  return html`<div class="notice" role="alert">
    <p><strong>${what}</strong></p>
    <p>${error.message}</p>
    ${error.requestId && html`<p class="request-id">Request <code>${error.requestId}</code></p>`}
    <button type="button" class="button" onClick=${onRetry}>Retry</button>
  </div>`;
}

/** Grey shapes where lines will be. @param {{rows?: number, kind?: string}} props */
export function Skeleton({ rows = 6, kind = "row" }) {
  return html`<div class="skeletons" role="status" aria-label="Loading">
    ${Array.from({ length: rows }, (_, at) => html`<div class=${`skeleton skeleton-${kind}`} key=${at}></div>`)}
  </div>`;
}

/** @param {string} title */
export function useTitle(title) {
  useEffect(() => {
    document.title = title ? `${title} · ${instance.value?.name ?? "Veza"}` : instance.value?.name ?? "Veza";
  }, [title, instance.value]);
}
