// @ts-check
/** What a message's text looks like, as `docs/protocol.md` gives it: from text to a tree, in time that grows with the text's length only; the server's twin passes the same table of cases. */
import { lexemes, UUID, without } from "./lexemes.js";

/** @typedef {"bold" | "italic" | "strike" | "spoiler" | "quote"} Style */
/** @typedef {{kind: "text" | "code", text: string} | {kind: "block", text: string, language: string} | {kind: "mention", name: string}
 *   | {kind: "track", trackId: string, atMs: number, text: string} | {kind: Style, children: Node[]}} Node */
/** @typedef {import("./lexemes.js").Lexeme} Lexeme */

/** Different cards a message shows; further links stay text. */
const MAX_CARDS = 5;
const MAX_AT_SECONDS = 86_400;

const TRACK = new RegExp(`^(?:(https?):\\/\\/([^/?#]*))?\\/tracks\\/(${UUID})(?:\\?([^#]*))?(?:#(.*))?$`, "i");
const TIME_FIELD = /(?:^|&)t=([^&]*)/;
const CLOCK = /^(?:([0-9]{1,2}):)?([0-9]{1,3}):([0-5]?[0-9])(?:\.([0-9]{1,3}))?$/;
const SPOKEN = /^(?=[0-9])(?:([0-9]{1,2})h)?(?:([0-9]{1,4})m)?(?:([0-9]{1,5})(?:\.([0-9]{1,3}))?s?)?$/;
/** @type {Record<string, string>} */
const DEFAULT_PORT = { http: ":80", https: ":443" };

/** @type {Record<string, Style>} */
const STYLES = { "**": "bold", "*": "italic", "~~": "strike", "||": "spoiler" };

/** @param {string} text @param {string} ownHost host and port of this server, whose tracks are cards @returns {Node[]} */
export function parse(text, ownHost) {
  return build(lexemes(text), ownHost, new Set());
}

/** @param {Lexeme[]} pieces @param {string} ownHost @param {Set<string>} cards those that are shown already @returns {Node[]} */
function build(pieces, ownHost, cards) {
  const partners = pair(pieces);
  /** @type {Node[][]} */
  const open = [[]];
  pieces.forEach((piece, at) => {
    const partner = partners.get(at);
    if (partner === undefined) append(/** @type {Node[]} */ (open.at(-1)), leaf(piece, ownHost, cards));
    else if (partner > at) open.push([]);
    else {
      const children = /** @type {Node[]} */ (open.pop());
      /** @type {Node[]} */ (open.at(-1)).push({ kind: STYLES[piece.text], children });
    }
  });
  return open[0];
}

/** @param {Node[]} nodes @param {Node} node */
function append(nodes, node) {
  const last = nodes.at(-1);
  if (node.kind === "text" && last?.kind === "text") nodes[nodes.length - 1] = { kind: "text", text: last.text + node.text };
  else nodes.push(node);
}

/** @param {Lexeme} piece @param {string} ownHost @param {Set<string>} cards @returns {Node} */
function leaf(piece, ownHost, cards) {
  const { kind, text } = piece;
  if (kind === "code") return { kind, text };
  if (kind === "block") return { kind, text, language: piece.language ?? "" };
  if (kind === "mention") return { kind, name: text };
  if (kind === "quote") return { kind, children: build(piece.inner ?? [], ownHost, cards) };
  return (kind === "link" && card(text, ownHost, cards)) || { kind: "text", text };
}

/** @param {string} text @param {string} ownHost @param {Set<string>} cards @returns {Node | null} */
function card(text, ownHost, cards) {
  const found = TRACK.exec(text);
  if (!found) return null;
  const [, scheme, host, id, query, fragment] = found;
  if (scheme) {
    const port = DEFAULT_PORT[scheme.toLowerCase()];
    if (!ownHost || without(port, host.toLowerCase()) !== without(port, ownHost)) return null;
  }
  const trackId = id.toLowerCase();
  const atMs = timeIn(fragment ?? "") || timeIn(query ?? "");
  const key = `${trackId} ${atMs}`;
  if (!cards.has(key) && cards.size === MAX_CARDS) return null;
  cards.add(key);
  return { kind: "track", trackId, atMs, text };
}

/** In milliseconds; a time that cannot be read is the beginning. @param {string} fields */
function timeIn(fields) {
  const value = TIME_FIELD.exec(fields)?.[1] ?? "";
  const time = CLOCK.exec(value) ?? SPOKEN.exec(value);
  if (!time) return 0;
  const [hours, minutes, seconds] = time.slice(1, 4).map((part) => Number(part ?? 0));
  const total = hours * 3600 + minutes * 60 + seconds;
  return total < MAX_AT_SECONDS ? total * 1000 + Number((time[4] ?? "").padEnd(3, "0")) : 0;
}

/** Which mark opens and which one closes with it, by index, in both directions. @param {Lexeme[]} pieces */
function pair(pieces) {
  /** @type {Map<number, number>} */
  const partners = new Map();
  /** @type {number[]} */
  const opened = [];
  pieces.forEach(({ kind, canOpen, canClose, isSecond }, at) => {
    if (kind === "block" || kind === "quote") opened.length = 0;
    if (kind !== "mark") return;
    if (opened.length && canClose && !isSecond) turn(pieces, opened, at);
    const level = opened.findIndex((index) => pieces[index].text === pieces[at].text);
    if (level >= 0 && canClose) {
      partners.set(at, opened[level]).set(opened[level], at);
      opened.length = level;
    } else if (canOpen) {
      if (level >= 0) opened.splice(level, 1);
      opened.push(at);
    }
  });
  return partners;
}

/** Lets `***` open or close in the order that the other side wants. @param {Lexeme[]} pieces @param {number[]} opened @param {number} at */
function turn(pieces, opened, at) {
  const top = /** @type {number} */ (opened.at(-1));
  if (pieces[at + 1]?.isSecond && pieces[top].text === "*") swap(pieces, at);
  else if (pieces[top].isSecond && opened.includes(top - 1) && pieces[top - 1].text === pieces[at].text) swap(pieces, top - 1);
}

/** @param {Lexeme[]} pieces @param {number} at */
function swap(pieces, at) {
  const [first, second] = [pieces[at], pieces[at + 1]];
  pieces[at] = { ...first, text: second.text };
  pieces[at + 1] = { ...second, text: first.text };
}
