// @ts-check
/** All public rooms, and the way to open a new one. */
import { html, useEffect, useState } from "../../app/dom.js";
import { createRoom, loadRooms, rooms, unread } from "../../app/rooms.js";
import { navigate } from "../../app/router.js";
import { Dialog } from "../../ui/dialog.js";
import { Field, FormError, useAction, values } from "../../ui/form.js";
import { icon } from "../../ui/icon.js";
import { Badge } from "../../ui/shell.js";
import { Empty, Failure, Skeleton, useTitle } from "../../ui/state.js";

export function Rooms() {
  useTitle("Rooms");
  const [creating, setCreating] = useState(false);
  useEffect(() => { loadRooms(); }, []);
  const { data, next, status, error } = rooms.value;
  const open = () => setCreating(true);
  return html`<div class="page page-narrow">
    <header class="page-head"><h1>Rooms</h1>
      <button type="button" class="button" onClick=${open}>${icon("plus")} New room</button></header>
    ${status === "error" && html`<${Failure} what="The rooms could not be loaded." error=${error} onRetry=${() => loadRooms()} />`}
    ${!data.length && (status === "idle" || status === "loading") && html`<${Skeleton} rows=${4} />`}
    ${!data.length && status === "ready" && html`<${Empty} art=${icon("message-square")} title="No rooms yet">
      <p>A room is a place to talk: about a track, a genre, an evening.</p>
      <button type="button" class="button button-primary" onClick=${open}>${icon("plus")} Open the first room</button><//>`}
    ${data.length > 0 && html`<ul class="room-list" aria-label="Rooms" data-testid="room-list">
      ${data.map((room) => html`<${RoomRow} key=${room.id} room=${room} />`)}</ul>`}
    ${next && html`<button type="button" class="button button-quiet more" disabled=${status === "loading"}
      onClick=${() => loadRooms({ more: true })}>Show more</button>`}
    ${creating && html`<${NewRoom} onClose=${() => setCreating(false)} />`}
  </div>`;
}

/** @param {{room: import("../../types/wire").Room}} props */
function RoomRow({ room }) {
  const count = unread.value[room.id] ?? 0;
  return html`<li><a class="room-row" href=${`/rooms/${room.id}`}>${icon("hash")}<span class="room-name">${room.name}</span>
    ${count > 0 && html`<${Badge} count=${count} />`}
    <span class="room-members">${icon("users")}<span class="sr-only">Members: </span>${room.member_count ?? 0}</span></a></li>`;
}

/** @param {{onClose: () => void}} props */
function NewRoom({ onClose }) {
  const { busy, error, run } = useAction();
  const submit = async (/** @type {Event} */ event) => {
    const { name } = values(event);
    const room = await run(() => createRoom(String(name).trim()));
    if (room) navigate(`/rooms/${room.id}`);
  };
  return html`<${Dialog} title="New room" onClose=${onClose}>
    <form onSubmit=${submit} class="form">
      <${Field} label="Name" name="name" error=${error} required maxlength="100" autocomplete="off" autofocus />
      <${FormError} error=${error} fields=${["name"]} />
      <button class="button button-primary" disabled=${busy}>Create room</button>
    </form>
  <//>`;
}
