// @ts-check
/** The conversation: stays where the reader reads, follows the end only if the reader is there. */
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../app/dom.js";
import { loadOlder, readToEnd } from "../../app/chat.js";
import { dayOf, shortTimeOfDay, timeOfDay } from "../../app/format.js";
import { reading } from "../../app/rooms.js";
import { me } from "../../app/store.js";
import { arranged } from "../../app/timeline.js";
import { Avatar, icon } from "../../ui/icon.js";
import { MessageText } from "./message-text.js";
import { Pending } from "./pending.js";

const AT_END_PX = 48;
const LOAD_OLDER_PX = 400;

/** @param {{room: import("../../app/chat.js").OpenRoom}} props */
export function Log({ room }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const lines = room.lines.value;
  const { atEnd, missed, toEnd, onScroll } = useScroll(ref, room);
  const divider = useDivider(room, atEnd);
  const userId = me.value?.id ?? "";
  return html`<div class="log-frame">
    <div class="log" role="log" aria-label="Messages" aria-live="polite" aria-relevant="additions" tabindex="0" ref=${ref} onScroll=${onScroll}
      data-testid="message-log">
      <${Older} room=${room} />
      ${!lines.length && !room.pending.value.length && html`<p class="log-start">Nobody has said anything here yet. Say hello.</p>`}
      ${arranged(lines, divider, userId).map((entry) => html`<${Entry} key=${entry.line.id} ...${entry} />`)}
      ${room.pending.value.map((draft) => html`<${Pending} key=${draft.id} room=${room} draft=${draft} />`)}
    </div>
    ${!atEnd && html`<button type="button" class="button button-small to-end" onClick=${toEnd}>
      ${icon("arrow-down")} ${missed ? `${missed} new` : "Latest"}</button>`}
  </div>`;
}

/** @param {{room: import("../../app/chat.js").OpenRoom}} props */
function Older({ room }) {
  const state = room.older.value;
  if (state === "none") return null;
  if (state !== "failed") return html`<p class="log-older">Loading earlier messages…</p>`;
  return html`<p class="log-older">Earlier messages could not be loaded.${" "}
    <button type="button" class="link-button" onClick=${() => loadOlder(room)}>Retry</button></p>`;
}

/** @param {ReturnType<typeof arranged>[number]} props */
function Entry({ line, day, first, heading }) {
  return html`${day && html`<p class="log-day"><span>${dayOf(line.at)}</span></p>`}
    ${first && html`<p class="log-new" role="separator"><span>New</span></p>`}
    ${line.kind === "message" ? html`<${Message} line=${line} heading=${heading} />`
      : html`<p class="log-event">${line.author.name} ${line.kind === "joined" ? "joined" : "left"}</p>`}`;
}

/** @param {{line: import("../../app/timeline.js").Line, heading: boolean}} props */
function Message({ line, heading }) {
  const { author, at, text, files = [], id, edited, deleted } = line;
  return html`<article class=${heading ? "message has-heading" : "message"} data-message=${id}>
    ${heading ? html`<${Avatar} id=${author.id} name=${author.name} />` : html`<time class="message-aside" datetime=${at}>${shortTimeOfDay(at)}</time>`}
    <div class="message-body">
      ${heading && html`<p class="message-head"><strong>${author.name}</strong> <time datetime=${at}>${timeOfDay(at)}</time></p>`}
      ${deleted && html`<p class="message-gone">This message was deleted.</p>`}
      ${text && html`<${MessageText} text=${text} />`}
      ${files.map((file) => html`<a key=${file.id} class="message-file" href=${`/api/v1/attachments/${file.id}/${encodeURIComponent(file.filename)}`} target="_blank" rel="noopener">${file.filename}</a>`)}
      ${edited && !deleted && html`<span class="message-edited">edited</span>`}
    </div>
  </article>`;
}

/**
 * Keeps the view steady: at the end it stays at the end, elsewhere the line being read stays where it is.
 * @param {{current: HTMLElement | null}} ref @param {import("../../app/chat.js").OpenRoom} room
 */
function useScroll(ref, room) {
  const [atEnd, setAtEnd] = useState(true);
  const [seenSeq, setSeenSeq] = useState(room.seq);
  const before = useRef({ first: "", height: 0, atEnd: true, drafts: 0 });
  const lines = room.lines.value;
  const drafts = room.pending.value.length;
  const toEnd = () => { if (ref.current) ref.current.scrollTop = ref.current.scrollHeight; };

  useLayoutEffect(() => {
    const log = /** @type {HTMLElement} */ (ref.current);
    const was = before.current;
    const first = lines[0]?.id ?? "";
    if (was.atEnd || drafts > was.drafts) log.scrollTop = log.scrollHeight;
    else if (was.first && first !== was.first) log.scrollTop += log.scrollHeight - was.height;
    before.current = { first, height: log.scrollHeight, atEnd: endsAt(log), drafts };
  });
  useEffect(() => {
    // The log shrinks when the composer grows, the keyboard opens or the player appears.
    const sizes = new ResizeObserver(() => { if (before.current.atEnd) toEnd(); });
    sizes.observe(/** @type {HTMLElement} */ (ref.current));
    return () => sizes.disconnect();
  }, []);
  const onScroll = () => {
    const log = ref.current;
    if (!log) return;
    before.current.atEnd = endsAt(log);
    setAtEnd(before.current.atEnd);
    if (log.scrollTop < LOAD_OLDER_PX && room.older.value === "some") loadOlder(room);
  };
  useEffect(() => { if (atEnd) setSeenSeq(room.seq); }, [atEnd, lines]);
  useEffect(onScroll, [room.older.value]);
  const missed = lines.filter((line) => line.kind === "message" && line.seq > seenSeq).length;
  return { atEnd, missed, toEnd, onScroll };
}

/** @param {HTMLElement} log */
const endsAt = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < AT_END_PX;

/**
 * The last message read before: set on entering and on looking away, kept until the next time, so that the mark does not
 * run away while one reads.
 * @param {import("../../app/chat.js").OpenRoom} room @param {boolean} atEnd
 */
function useDivider(room, atEnd) {
  const [visible, setVisible] = useState(!document.hidden);
  const [divider, setDivider] = useState(/** @type {number | null} */ (room.readSeq < room.seq ? room.readSeq : null));
  const lines = room.lines.value;
  const here = atEnd && visible;
  useEffect(() => {
    const look = () => setVisible(!document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  useEffect(() => {
    reading.value = here ? room.id : "";
    if (here) readToEnd(room);
    else setDivider(room.seq);
    return () => { reading.value = ""; };
  }, [here]);
  useEffect(() => { if (here) readToEnd(room); }, [lines]);
  return divider;
}
