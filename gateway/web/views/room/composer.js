// @ts-check
/** Where one writes: Enter sends, Shift+Enter makes a line; the text is kept when one leaves the room. */
import { html, useEffect, useRef } from "../../app/dom.js";
import { say } from "../../app/chat.js";
import { icon } from "../../ui/icon.js";

const LONGEST = 4000;
const COUNT_FROM = 3600;

/** @param {{room: import("../../app/chat.js").OpenRoom, name: string}} props */
export function Composer({ room, name }) {
  const ref = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const text = room.draft.value;
  const left = LONGEST - [...text].length;
  useEffect(() => { if (matchMedia("(hover: hover)").matches) ref.current?.focus({ preventScroll: true }); }, []);
  useEffect(() => grow(ref.current), [text]);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!text.trim() || left < 0) return;
    room.draft.value = "";
    say(room, text.trim());
    ref.current?.focus();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`<form class="composer" onSubmit=${submit}>
    <textarea ref=${ref} rows="1" aria-label=${`Message ${name}`} placeholder=${`Message ${name}`} value=${text} enterkeyhint="send"
      aria-describedby=${left <= LONGEST - COUNT_FROM ? "composer-left" : null} onKeyDown=${onKeyDown}
      onInput=${(/** @type {any} */ event) => { room.draft.value = event.currentTarget.value; }}></textarea>
    ${left <= LONGEST - COUNT_FROM && html`<span id="composer-left" class=${left < 0 ? "composer-left is-over" : "composer-left"}>${left}</span>`}
    <button class="send-button" aria-label="Send" disabled=${!text.trim() || left < 0}>${icon("send-horizontal")}</button>
  </form>`;
}

/** As tall as its text; CSS stops it at a third of the window. @param {HTMLTextAreaElement | null} field */
function grow(field) {
  if (!field) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
