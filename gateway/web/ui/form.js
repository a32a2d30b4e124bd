// @ts-check
/** Forms that keep what was typed, show the server's objections at the field they concern, and cannot be sent twice. */
import { html, useRef, useState } from "../app/dom.js";

/** @typedef {import("../app/api.js").ApiError} ApiError */

/**
 * One sending at a time: `run(action)` answers its result, or undefined after an error, which then stands in `error`.
 * @returns {{busy: boolean, error: ApiError | null, run: (action: () => Promise<any>) => Promise<any>}}
 */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const running = useRef(false);
  const run = async (/** @type {() => Promise<any>} */ action) => {
    if (running.current) return undefined;
    running.current = true;
    setBusy(true);
    setError(null);
    try {
      return await action();
    } catch (thrown) {
      setError(/** @type {ApiError} */ (thrown));
      return undefined;
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { busy, error, run };
}

/** The values of a form's named fields. @param {Event} event */
export function values(event) {
  event.preventDefault();
  return Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)));
}

/** What the server says about one field. @param {ApiError | null} error @param {string} name */
const objection = (error, name) =>
  error?.errors.find(({ pointer }) => pointer.replace(/^#?\//, "") === name)?.detail ?? "";

/**
 * A labelled input; further properties go to the input.
 * @param {{label: string, name: string, error?: ApiError | null, hint?: string, [attribute: string]: any}} props
 */
export function Field({ label, name, error = null, hint = "", ...input }) {
  const wrong = objection(error, name);
  const note = wrong || hint;
  return html`<div class="field">
    <label for=${`field-${name}`}>${label}</label>
    <input id=${`field-${name}`} name=${name} aria-invalid=${wrong ? "true" : null}
      aria-describedby=${note ? `note-${name}` : null} ...${input} />
    ${note && html`<p id=${`note-${name}`} class=${wrong ? "field-error" : "field-hint"}>${note}</p>`}
  </div>`;
}

/** What is wrong with the whole, when no field of the form says it already. @param {{error: ApiError | null, fields?: string[]}} props */
export function FormError({ error, fields = [] }) {
  if (!error || fields.some((name) => objection(error, name))) return null;
  return html`<div class="form-error" role="alert">
    <p>${error.message}</p>
    ${error.requestId && html`<p class="request-id">Request <code>${error.requestId}</code></p>`}
  </div>`;
}
