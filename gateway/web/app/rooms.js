// @ts-check
/** The list of rooms and how much is unread in each; what is said inside a room lives in `chat.js`. */
import { api } from "./api.js";
import { signal } from "./dom.js";
import { me, whenForgotten } from "./store.js";
import { on } from "./ws.js";

/** @typedef {import("../types/wire").Room} Room */
/** @typedef {{data: Room[], next: string | null, status: "idle" | "loading" | "ready" | "error", error: Error | null}} Listing */

/** @returns {Listing} */
const empty = () => ({ data: [], next: null, status: "idle", error: null });

export const rooms = signal(empty());

/** Unread messages by room. @type {{value: Record<string, number>}} */
export const unread = signal({});

/** The room whose end the reader has before the eyes right now. @type {{value: string}} */
export const reading = signal("");

/** @param {{more?: boolean}} [options] */
export async function loadRooms({ more = false } = {}) {
  const before = rooms.value;
  if (before.status === "loading") return;
  rooms.value = { ...before, status: "loading", error: null };
  try {
    const cursor = more && before.next ? `&cursor=${encodeURIComponent(before.next)}` : "";
    const [mine, page] = await Promise.all([more ? before.data : ownRooms(), api("GET", `/rooms?limit=100${cursor}`)]);
    rooms.value = { data: merged(mine, page.data), next: page.next_cursor, status: "ready", error: null };
  } catch (error) {
    rooms.value = { ...before, status: "error", error: /** @type {Error} */ (error) };
  }
}

/** The rooms one is in, listed or not; conversations without a name are called by those one talks to. @returns {Promise<Room[]>} */
async function ownRooms() {
  const [own, talks] = await Promise.all([api("GET", "/me/rooms?limit=200"), api("GET", "/dms?limit=200")]);
  const names = new Map(talks.data.map((/** @type {any} */ talk) => [talk.room.id, talk.people.map((/** @type {any} */ who) => who.name).join(", ")]));
  return own.data.map((/** @type {any} */ { room }) => ({ ...room, name: room.name || names.get(room.id) || "Conversation" }));
}

/** @param {Room[]} known @param {Room[]} fresh */
function merged(known, fresh) {
  return [...new Map([...known, ...fresh].map((room) => [room.id, room])).values()];
}

/** @param {string} name @returns {Promise<Room>} */
export async function createRoom(name) {
  const room = await api("POST", "/rooms", { name, kind: "public" });
  putRoom(room);
  return room;
}

/** @param {string} id */
export function nameOf(id) {
  return rooms.value.data.find((room) => room.id === id)?.name ?? "Conversation";
}

/** @param {Room} room */
export function putRoom(room) {
  const { data } = rooms.value;
  const known = data.some((other) => other.id === room.id);
  rooms.value = {
    ...rooms.value,
    data: known ? data.map((other) => (other.id === room.id ? room : other)) : [room, ...data],
  };
}

on("room.added", () => loadRooms());

/** @param {string} id */
export function markRead(id) {
  if (unread.value[id]) unread.value = { ...unread.value, [id]: 0 };
}

whenForgotten(() => {
  rooms.value = empty();
  unread.value = {};
  reading.value = "";
});

on("ready", (frame) => {
  const counts = { ...unread.value };
  for (const { room, unread: count } of frame.d?.rooms ?? []) if (count && room !== reading.value) counts[room] = count;
  unread.value = counts;
});

on("message.posted", ({ room = "", d }) => {
  if (room === reading.value || d?.author?.id === me.value?.id) return;
  unread.value = { ...unread.value, [room]: (unread.value[room] ?? 0) + 1 };
});
