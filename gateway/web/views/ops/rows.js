// @ts-check
/** The supervision tree as the page holds it: rows as they came, their rates, and the lines that a view of them shows. */
import { harm } from "./words.js";

/** @typedef {import("../../types/ops").Actor} Actor @typedef {import("../../types/ops").TreeFrame} TreeFrame */
/** `before` is the row a frame earlier, `seconds` how long that frame was; `rev` the frame that told it last. */
/** @typedef {{row: Actor, before: Actor | null, seconds: number, rev: number}} Entry */
/** @typedef {{entries: Map<string, Entry>, children: Map<string, string[]>, roots: string[], rev: number, at: number}} Tree */
/** @typedef {{path: string, level: number, position: number, setSize: number, isOpen: boolean | null, more: number}} Line */
/** @typedef {"state" | "name" | "class" | "mailbox" | "growth" | "age" | "rate" | "busy" | "restarts" | "exit" | "process"} SortKey */
/** @typedef {{key: SortKey, isDown: boolean}} Sort */
/** @typedef {{isOpen: (row: Actor) => boolean, search: string, sort: Sort | null, isUnhealthyOnly: boolean}} Look */

/** @returns {Tree} */
export function emptyTree() {
  return { entries: new Map(), children: new Map(), roots: [], rev: 0, at: 0 };
}

/** Whether a frame follows on what the tree holds. @param {Tree} tree @param {TreeFrame} frame */
export const follows = (tree, frame) => frame.full || (tree.at > 0 && frame.rev === tree.rev + 1);

/** Takes in one frame. @param {Tree} tree @param {TreeFrame} frame @returns {Tree} */
export function applied(tree, frame) {
  const at = Date.parse(frame.at);
  const seconds = tree.at ? (at - tree.at) / 1000 : 0;
  const entries = frame.full ? new Map() : tree.entries;
  for (const path of frame.gone) entries.delete(path);
  let isMoved = frame.full || frame.gone.length > 0;
  for (const row of frame.actors) {
    const known = tree.entries.get(row.path);
    isMoved ||= known?.row.parent !== row.parent;
    entries.set(row.path, { row, before: known?.row ?? null, seconds, rev: frame.rev });
  }
  const shape = isMoved ? shapeOf(entries) : tree;
  return { entries, children: shape.children, roots: shape.roots, rev: frame.rev, at };
}

/** Who hangs below whom, in the order they came. @param {Map<string, Entry>} entries */
function shapeOf(entries) {
  /** @type {Map<string, string[]>} */
  const children = new Map();
  const roots = [];
  for (const { row } of entries.values()) {
    const parent = row.parent ?? "";
    if (!entries.has(parent)) roots.push(row.path);
    else if (children.has(parent)) children.get(parent)?.push(row.path);
    else children.set(parent, [row.path]);
  }
  return { children, roots };
}

/**
 * What changed a second, over the last frame; nothing for an actor that the last frame did not tell.
 * @param {Tree} tree @param {Entry} entry
 */
export function rates(tree, { row, before, seconds, rev }) {
  if (!before || seconds <= 0 || rev !== tree.rev) return { messages: 0, growth: 0, busy: 0, cpu: 0, below: 0 };
  const per = (/** @type {number} */ now, /** @type {number} */ then) => Math.max(0, now - then) / seconds;
  // A handler that still runs is not in busy_ms yet.
  const busy = per(row.busy_ms + row.current_ms, before.busy_ms + before.current_ms) / 1000;
  const isSame = row.process && row.process.pid === before.process?.pid;
  return {
    messages: per(row.messages, before.messages),
    growth: (row.mailbox - before.mailbox) / seconds,
    busy,
    cpu: isSame ? per(row.process?.cpu_seconds ?? 0, before.process?.cpu_seconds ?? 0) : 0,
    below: per(row.below.messages, before.below.messages),
  };
}

/** What a column sorts by; more comes first when it goes down. @type {Record<SortKey, (tree: Tree, entry: Entry) => number | string>} */
const VALUES = {
  state: (_tree, { row }) => harm(row),
  name: (_tree, { row }) => row.name,
  class: (_tree, { row }) => row.class,
  mailbox: (_tree, { row }) => row.mailbox,
  growth: (tree, entry) => rates(tree, entry).growth,
  age: (_tree, { row }) => row.head_age_ms,
  rate: (tree, entry) => rates(tree, entry).messages,
  busy: (tree, entry) => rates(tree, entry).busy,
  restarts: (_tree, { row }) => row.restarts,
  exit: (_tree, { row }) => row.last_exit ?? "",
  process: (_tree, { row }) => row.process?.rss_bytes ?? 0,
};

/** @param {Tree} tree @param {string[]} paths @param {Sort | null} sort */
function sorted(tree, paths, sort) {
  if (!sort) return paths;
  const turn = sort.isDown ? -1 : 1;
  const keyed = paths.map((path) => ({ path, value: VALUES[sort.key](tree, /** @type {Entry} */ (tree.entries.get(path))) }));
  keyed.sort((a, b) => (a.value < b.value ? -turn : a.value > b.value ? turn : 0));
  return keyed.map(({ path }) => path);
}

/** The paths that a search and "only unhealthy" leave over. @param {Tree} tree @param {Look} look */
export function matches(tree, { search, isUnhealthyOnly }) {
  const wanted = search.trim().toLowerCase();
  const found = [];
  for (const { row } of tree.entries.values()) {
    if (isUnhealthyOnly && !row.unhealthy.length) continue;
    if (!wanted || row.path.toLowerCase().includes(wanted) || row.class.toLowerCase().includes(wanted)) found.push(row.path);
  }
  return found;
}

/** @param {Look} look */
export const isFiltered = (look) => look.isUnhealthyOnly || look.search.trim() !== "";

/** Whether a look makes one flat list. @param {Look} look */
export const isFlat = (look) => isFiltered(look) && look.sort !== null;

/** The lines that a look at the tree shows, from the top. @param {Tree} tree @param {Look} look @returns {Line[]} */
export function linesOf(tree, look) {
  if (!isFiltered(look)) return branch(tree, tree.roots, look, null);
  const found = matches(tree, look);
  if (!look.sort) return branch(tree, tree.roots, look, withAncestors(tree, found));
  return sorted(tree, found, look.sort).map((path, at) => ({
    path, level: 1, position: at + 1, setSize: found.length, isOpen: null, more: 0,
  }));
}

/** @param {Tree} tree @param {string[]} paths */
function withAncestors(tree, paths) {
  const kept = new Set();
  for (const path of paths) {
    let at = tree.entries.get(path)?.row;
    while (at && !kept.has(at.path)) {
      kept.add(at.path);
      at = tree.entries.get(at.parent ?? "")?.row;
    }
  }
  return kept;
}

/** @param {Tree} tree @param {string[]} tops @param {Look} look @param {Set<string> | null} kept nothing else is shown */
function branch(tree, tops, look, kept) {
  /** @type {Line[]} */
  const lines = [];
  const add = (/** @type {string[]} */ paths, /** @type {number} */ level, /** @type {number} */ unseen, /** @type {string} */ parent) => {
    const shown = sorted(tree, kept ? paths.filter((path) => kept.has(path)) : paths, look.sort);
    const more = kept ? 0 : unseen;
    const setSize = shown.length + (more ? 1 : 0);
    shown.forEach((path, at) => {
      const { row } = /** @type {Entry} */ (tree.entries.get(path));
      const below = tree.children.get(path) ?? [];
      const isParent = kept ? below.some((child) => kept.has(child)) : row.child_count > 0;
      const isOpen = isParent ? kept !== null || look.isOpen(row) : null;
      lines.push({ path, level, position: at + 1, setSize, isOpen, more: 0 });
      if (isOpen) add(below, level + 1, row.child_count - below.length, path);
    });
    if (more > 0) lines.push({ path: parent, level, position: setSize, setSize, isOpen: null, more });
  };
  add(tops, 1, 0, "");
  return lines;
}
