// @ts-check
/** A modal dialog on the native element: focus stays inside, Escape closes, focus returns to where it was. */
import { html, useEffect, useRef } from "../app/dom.js";
import { icon } from "./icon.js";

/** @param {{title: string, onClose: () => void, children?: any}} props */
export function Dialog({ title, onClose, children }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => { ref.current?.showModal(); }, []);
  const onClick = (/** @type {MouseEvent} */ event) => { if (event.target === ref.current) ref.current?.close(); };
  return html`<dialog ref=${ref} class="dialog" aria-labelledby="dialog-title" onClose=${onClose} onClick=${onClick}>
    <div class="dialog-body">
      <header><h2 id="dialog-title">${title}</h2>
        <button type="button" class="icon-button" aria-label="Close" onClick=${() => ref.current?.close()}>${icon("x")}</button>
      </header>
      ${children}
    </div>
  </dialog>`;
}
