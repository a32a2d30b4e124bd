// @ts-check
/** One room: its head, its conversation, and the field to write in. */
import { html, useEffect, useState } from "../../app/dom.js";
import { enter, reload } from "../../app/chat.js";
import { route } from "../../app/router.js";
import { icon } from "../../ui/icon.js";
import { Failure, Skeleton, useTitle } from "../../ui/state.js";
import { Composer } from "./composer.js";
import { Log } from "./log.js";

export function RoomPage() {
  const { id } = route.value;
  return html`<${Conversation} key=${id} id=${id} />`;
}

/** @param {{id: string}} props */
function Conversation({ id }) {
  // Once a visit, not once a drawing: entering a room that failed to load tries again.
  const [room] = useState(() => enter(id));
  const info = room.info.value;
  const status = room.status.value;
  useTitle(info?.name ?? "Room");
  useEffect(() => () => { room.notice.value = ""; }, []);
  return html`<section class="room" aria-label=${info?.name ?? "Room"}>
    <header class="room-head">
      <a class="icon-button room-back" href="/rooms" aria-label="All rooms">${icon("chevron-left")}</a>
      <h1>${icon("hash")}<span>${info?.name ?? ""}</span></h1>
      ${info && html`<span class="room-members" data-testid="member-count">${icon("users")}<span class="sr-only">Members: </span>${info.member_count ?? 0}</span>`}
    </header>
    ${room.notice.value && html`<p class="room-notice" role="status">${room.notice.value}
      <button type="button" class="icon-button" aria-label="Dismiss" onClick=${() => { room.notice.value = ""; }}>${icon("x")}</button></p>`}
    ${status === "error" && html`<${Failure} what="This room could not be loaded." error=${room.error.value} onRetry=${() => reload(room)} />`}
    ${status === "loading" && html`<${Skeleton} rows=${5} kind="message" />`}
    ${status === "ready" && html`<${Log} room=${room} />`}
    ${status === "ready" && html`<${Composer} room=${room} name=${info?.name ?? ""} />`}
  </section>`;
}
