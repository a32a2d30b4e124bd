// @ts-check
/** One room's conversation: position first, then history, then live events; sends are shown at once and reach the room exactly once. */
import { api, uuid } from "./api.js";
import { batch, signal } from "./dom.js";
import { markRead, nameOf, putRoom } from "./rooms.js";
import { me, whenForgotten } from "./store.js";
import { changed, lineOf, merge } from "./timeline.js";
import { connection, on, request } from "./ws.js";

/** @typedef {import("./timeline.js").Line} Line */
/** @typedef {{id: string, text: string, state: "sending" | "failed", slow: boolean, why: string}} Draft */

const PAGE = 50;
/** Rooms of one `resume`; the server takes no more. */
const RESUMED_AT_ONCE = 200;
/** A send that takes no longer than this shows no sign of work. */
const SLOW_AFTER_MS = 300;

/** @type {Map<string, ReturnType<typeof newRoom>>} */
const open = new Map();

/** @param {string} id */
function newRoom(id) {
  return {
    id,
    info: signal(/** @type {import("../types/wire").Room | null} */ (null)),
    lines: signal(/** @type {Line[]} */ ([])),
    pending: signal(/** @type {Draft[]} */ ([])),
    status: signal(/** @type {"loading" | "ready" | "error"} */ ("loading")),
    error: signal(/** @type {Error | null} */ (null)),
    older: signal(/** @type {"none" | "some" | "loading" | "failed"} */ ("none")),
    notice: signal(""),
    draft: signal(""),
    epoch: "",
    seq: 0,
    readSeq: 0,
    joining: false,
    joined: false,
    isOut: false,
    inFlight: /** @type {Set<string>} */ (new Set()),
  };
}

/** @typedef {ReturnType<typeof newRoom>} OpenRoom */

/** The room's state, loading it if this is the first visit. @param {string} id @returns {OpenRoom} */
export function enter(id) {
  const known = open.get(id);
  if (known) {
    if (known.status.value === "error") load(known);
    return known;
  }
  const room = newRoom(id);
  open.set(id, room);
  load(room);
  return room;
}

/** The position is taken before the history, so that nothing falls between: what is in both is shown once. @param {OpenRoom} room */
async function load(room) {
  batch(() => { room.status.value = "loading"; room.error.value = null; });
  room.isOut = false;
  try {
    const info = await describe(room.id);
    Object.assign(room, { epoch: info.epoch, seq: info.seq });
    await loadNewest(room);
    room.readSeq ||= room.seq;
    batch(() => { room.info.value = info; room.status.value = "ready"; });
    join(room);
  } catch (error) {
    batch(() => { room.status.value = "error"; room.error.value = /** @type {Error} */ (error); });
  }
}

export const reload = load;

/** @param {OpenRoom} room */
async function loadNewest(room) {
  const page = await api("GET", `/rooms/${room.id}/messages?limit=${PAGE}`);
  take(room, page, []);
}

/** @param {OpenRoom} room */
export async function loadOlder(room) {
  if (room.older.value === "none" || room.older.value === "loading") return;
  room.older.value = "loading";
  try {
    const before = room.lines.value[0]?.seq ?? room.seq + 1;
    take(room, await api("GET", `/rooms/${room.id}/messages?before_seq=${before}&limit=${PAGE}`), room.lines.value);
  } catch {
    room.older.value = "failed";
  }
}

/** @param {OpenRoom} room @param {import("../types/wire").Page<any>} page @param {Line[]} known */
function take(room, page, known) {
  const fresh = page.data.map(lineOf).filter((line) => line !== null);
  batch(() => {
    show(room, merge(known, /** @type {Line[]} */ (fresh)));
    room.older.value = page.next_cursor ? "some" : "none";
  });
}

/** Shows lines, and drops the drafts that have become one. @param {OpenRoom} room @param {Line[]} lines */
function show(room, lines) {
  if (room.pending.value.length) {
    const posted = new Set(lines.map((line) => line.id));
    room.pending.value = room.pending.value.filter((draft) => !posted.has(draft.id));
  }
  room.lines.value = lines;
}

/** Takes up the live events after the position we have. @param {OpenRoom} room */
async function join(room) {
  if (connection.value.state !== "ready" || room.joining || room.isOut || room.status.value !== "ready") return;
  room.joining = true;
  try {
    await goOn(room, await request("room.join", { room: room.id, since: { epoch: room.epoch, seq: room.seq } }));
  } catch (error) {
    refused(room, /** @type {import("./api.js").ApiError} */ (error));
  } finally {
    room.joining = false;
  }
}

/** Goes on in the rooms that the lost connection was in; unlike a join it brings nobody back who was put out. @param {OpenRoom[]} rooms */
async function resume(rooms) {
  for (const room of rooms) room.joining = true;
  try {
    const positions = rooms.map(({ id, epoch, seq }) => ({ room: id, since: { epoch, seq } }));
    const ack = await request("resume", { rooms: positions });
    const found = new Map(ack.rooms.map((/** @type {{room: string}} */ each) => [each.room, each]));
    await Promise.all(rooms.map((room) => (found.has(room.id) ? goOn(room, found.get(room.id)) : putOut(room, ""))));
  } catch (error) {
    for (const room of rooms) refused(room, /** @type {import("./api.js").ApiError} */ (error));
  } finally {
    for (const room of rooms) room.joining = false;
  }
}

/** @param {OpenRoom} room @param {{epoch: string, seq: number, recovered: boolean}} at */
async function goOn(room, { epoch, seq, recovered }) {
  Object.assign(room, { epoch, joined: true });
  for (const draft of room.pending.value) if (draft.state === "sending") post(room, draft);
  if (recovered === false) await startOver(room, seq);
}

/** @param {OpenRoom} room @param {string} reason */
function putOut(room, reason) {
  Object.assign(room, { joined: false, isOut: true });
  room.notice.value = reason ? `You were put out: ${reason}` : "You are not in this room any more.";
}

/** @param {OpenRoom} room @param {import("./api.js").ApiError} error */
function refused(room, { code, message }) {
  if (code === "disconnected") return;
  room.notice.value = message;
  for (const { id } of room.pending.value) change(room, id, { state: "failed", why: message });
}

/** @param {OpenRoom} room @param {number} seq */
async function startOver(room, seq) {
  room.seq = seq;
  await loadNewest(room);
  room.notice.value = "You were away for long: the conversation was loaded again.";
}

on("ready", () => {
  const rooms = [...open.values()];
  const again = rooms.filter((room) => room.joined);
  for (const room of again) room.joined = false;
  for (let first = 0; first < again.length; first += RESUMED_AT_ONCE) resume(again.slice(first, first + RESUMED_AT_ONCE));
  for (const room of rooms) join(room);
});

/** Every event that has a place in the order of a room: one that is not shown is no hole either. */
const DURABLE = [
  "message.posted", "message.edited", "message.deleted", "message.pinned", "message.unpinned", "reaction.added", "reaction.removed",
  "member.joined", "member.left", "member.moderated", "room.updated",
];
for (const type of DURABLE) on(type, apply);

/** @param {import("../types/wire").Frame} frame */
function apply(frame) {
  const room = open.get(frame.room ?? "");
  if (!room || room.status.value !== "ready" || !frame.seq) return;
  if (frame.seq > room.seq + 1 && !room.joining) {
    join(room);
    return;
  }
  const isNew = frame.seq > room.seq;
  room.seq = Math.max(room.seq, frame.seq);
  const line = lineOf(frame);
  batch(() => {
    if (line) show(room, merge(room.lines.value, [line]));
    room.lines.value = changed(room.lines.value, frame);
    if (isNew) keepUp(room, frame);
  });
}

/** What the room is called, and how many are in it. @param {OpenRoom} room @param {import("../types/wire").Frame} frame */
function keepUp(room, { t, d }) {
  const info = room.info.value;
  const step = { "member.joined": 1, "member.left": -1 }[t];
  if (step && info) room.info.value = { ...info, member_count: Math.max(0, info.member_count + step) };
  const isOut = t === "member.moderated" && ["kick", "ban"].includes(d.measure);
  if (isOut && d.user.id === me.value?.id) {
    putOut(room, d.reason);
  } else if (isOut || t === "room.updated") {
    describe(room.id).then((fresh) => { room.info.value = fresh; }).catch(() => {});
  }
}

/** The room as it is by now, called as in the list: a conversation has no name of its own. @param {string} id */
async function describe(id) {
  const info = await api("GET", `/rooms/${id}`);
  const named = { ...info, name: info.name || nameOf(id) };
  putRoom(named);
  return named;
}

/** Shows the text at once and sends it; offline it waits for the connection. @param {OpenRoom} room @param {string} text */
export function say(room, text) {
  /** @type {Draft} */
  const draft = { id: uuid(), text, state: "sending", slow: false, why: "" };
  room.pending.value = [...room.pending.value, draft];
  post(room, draft);
}

/** The same id again is the same message: the server posts it once, however often it is sent. @param {OpenRoom} room @param {Draft} draft */
export async function post(room, draft) {
  change(room, draft.id, { state: "sending", why: "" });
  setTimeout(() => change(room, draft.id, { slow: true }), SLOW_AFTER_MS);
  if (!room.joined || room.inFlight.has(draft.id)) return;
  room.inFlight.add(draft.id);
  try {
    const ack = await request("message.send", { room: room.id, message_id: draft.id, text: draft.text });
    posted(room, draft, ack);
  } catch (error) {
    const { code, message } = /** @type {import("./api.js").ApiError} */ (error);
    if (code !== "disconnected") change(room, draft.id, { state: "failed", why: message });
  } finally {
    room.inFlight.delete(draft.id);
  }
}

/** @param {OpenRoom} room @param {Draft} draft @param {{seq: number, at: string}} ack */
function posted(room, draft, { seq, at }) {
  const user = me.value;
  if (!user) return;
  if (seq === room.seq + 1) room.seq = seq;
  const author = { id: user.id, name: user.username };
  show(room, merge(room.lines.value, [{ seq, at, id: draft.id, author, text: draft.text, kind: "message" }]));
}

/** @param {OpenRoom} room @param {string} id @param {Partial<Draft>} news */
function change(room, id, news) {
  if (!room.pending.value.some((draft) => draft.id === id)) return;
  room.pending.value = room.pending.value.map((draft) => (draft.id === id ? { ...draft, ...news } : draft));
}

/** @param {OpenRoom} room @param {string} id */
export function discard(room, id) {
  room.pending.value = room.pending.value.filter((draft) => draft.id !== id);
}

/** @param {OpenRoom} room */
export function readToEnd(room) {
  const isFurther = room.seq > room.readSeq;
  room.readSeq = room.seq;
  markRead(room.id);
  // Lost with the connection it is said again by the next thing read; nobody has to hear of it.
  if (isFurther && room.joined) request("receipt.read", { room: room.id, seq: room.seq }).catch(() => {});
}

on("receipt.read", ({ room = "", d }) => {
  const mine = d.receipts.find((/** @type {{user: string}} */ each) => each.user === me.value?.id);
  const known = open.get(room);
  if (mine && known && mine.seq >= known.seq) markRead(room);
});

whenForgotten(() => open.clear());
