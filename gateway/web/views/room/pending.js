// @ts-check
/** A message that the server has not confirmed: shown as sent, marked after a moment, kept when it failed. */
import { html } from "../../app/dom.js";
import { discard, post } from "../../app/chat.js";
import { me } from "../../app/store.js";
import { Avatar, icon } from "../../ui/icon.js";
import { MessageText } from "./message-text.js";

/** @param {{room: import("../../app/chat.js").OpenRoom, draft: import("../../app/chat.js").Draft}} props */
export function Pending({ room, draft }) {
  const user = me.value;
  const failed = draft.state === "failed";
  return html`<article class=${`message has-heading is-pending ${failed ? "is-failed" : ""}`} data-message=${draft.id}>
    <${Avatar} id=${user?.id ?? ""} name=${user?.username ?? "?"} />
    <div class="message-body">
      <p class="message-head"><strong>${user?.username}</strong>
        ${!failed && draft.slow && html` <span class="message-state">sending…</span>`}</p>
      <${MessageText} text=${draft.text} />
      ${failed && html`<p class="message-failed" role="alert">${icon("circle-alert")} <span>Not sent. ${draft.why}</span>
        <button type="button" class="button button-small" onClick=${() => post(room, draft)}>${icon("refresh-cw")} Retry</button>
        <button type="button" class="button button-small button-quiet" onClick=${() => discard(room, draft.id)}>${icon("trash")} Discard</button></p>`}
    </div>
  </article>`;
}
