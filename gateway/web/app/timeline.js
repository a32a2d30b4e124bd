// @ts-check
/** What a room's log shows, in the order of `seq`: pure functions from events to lines. */

/** @typedef {import("../types/wire").Frame} Frame */
/** @typedef {{seq: number, at: string, id: string, author: import("../types/wire").Person, text: string, kind: "message" | "joined" | "left", files?: import("../types/wire").SentFile[], edited?: boolean, deleted?: boolean}} Line */

/** A run of messages by one author within this time has one heading. */
const RUN_MS = 5 * 60_000;

/**
 * The line of an event, live or from history; null for events that this client does not show.
 * @param {any} event @returns {Line | null}
 */
export function lineOf(event) {
  const d = event.d ?? event;
  const kind = KINDS[event.t ?? "message.posted"];
  if (!kind) return null;
  const author = d.author ?? d.user ?? d.member;
  if (!author) return null;
  const id = d.message_id ?? `seq-${event.seq}`;
  return { seq: event.seq, at: event.at, id, author, text: d.text ?? "", files: d.attachments ?? [], kind, edited: !!d.edited_at, deleted: !!d.deleted_at };
}

/** @type {Record<string, Line["kind"]>} */
const KINDS = { "message.posted": "message", "member.joined": "joined", "member.left": "left" };

/** Both lists as one, in order, each event once. @param {Line[]} known @param {Line[]} fresh */
export function merge(known, fresh) {
  if (!fresh.length) return known;
  if (fresh.length === 1 && (known.at(-1)?.seq ?? 0) < fresh[0].seq) return [...known, fresh[0]];
  const bySeq = new Map([...known, ...fresh].map((line) => [line.seq, line]));
  return [...bySeq.values()].sort((one, other) => one.seq - other.seq);
}

/** What a message has become; the same list if nobody sees a difference. @param {Line[]} lines @param {Frame} event @returns {Line[]} */
export function changed(lines, { t, d }) {
  const news = { "message.edited": { text: d?.text, edited: true }, "message.deleted": { text: "", files: [], deleted: true } }[t];
  if (!news || !lines.some((line) => line.id === d.message_id)) return lines;
  return lines.map((line) => (line.id === d.message_id ? { ...line, ...news } : line));
}

/**
 * Each line with what stands above it: a new day, the divider of what is new, the author's heading.
 * @param {Line[]} lines @param {number | null} divider the last `seq` read before; null for no divider
 * @param {string} myId
 */
export function arranged(lines, divider, myId) {
  let marked = divider === null;
  return lines.map((line, at) => {
    const before = lines[at - 1];
    const day = !before || new Date(before.at).toDateString() !== new Date(line.at).toDateString();
    const first = !marked && line.seq > /** @type {number} */ (divider) && line.author.id !== myId;
    marked ||= first;
    return { line, day, first, heading: day || first || !sameRun(before, line) };
  });
}

/** @param {Line} before @param {Line} line */
function sameRun(before, line) {
  return before.kind === "message" && line.kind === "message" && before.author.id === line.author.id
    && Date.parse(line.at) - Date.parse(before.at) < RUN_MS;
}
