// @ts-check
/** How the tree is looked at: what is open, searched, sorted; and the lines that come of it. */
import { computed, signal } from "../../app/dom.js";
import { whenForgotten } from "../../app/store.js";
import { tree } from "./live.js";
import { linesOf, rates } from "./rows.js";
import { growth, length, perSecond, share, stateOf } from "./words.js";

/** @typedef {import("../../types/ops").Actor} Actor @typedef {import("./rows.js").Sort} Sort */

/** A supervisor with more children than this starts closed: it is a family. */
const FEW = 20;

export const search = signal("");
export const sort = signal(/** @type {Sort | null} */ (null));
export const isUnhealthyOnly = signal(false);
/** Set by who opens details from the keyboard: the focus goes there. */
export const entering = { isWanted: false };
/** The row that Tab reaches. */
export const active = signal("");
/** What was opened or closed by hand. @type {{value: Record<string, boolean>, peek: () => Record<string, boolean>}} */
const byHand = signal({});

/** @param {string} path @param {boolean} isOpen */
export function setOpen(path, isOpen) {
  byHand.value = { ...byHand.value, [path]: isOpen };
}

/** @param {Actor} row */
const isOpen = (row) => byHand.value[row.path] ?? row.child_count <= FEW;

export const look = computed(() => ({
  isOpen, search: search.value, sort: sort.value, isUnhealthyOnly: isUnhealthyOnly.value,
}));
export const lines = computed(() => linesOf(tree.value, look.value));

/** A column's button: most first, least first, as it was. @param {Sort["key"]} key */
export function sortBy(key) {
  const isFirstUp = key === "name" || key === "class";
  const now = sort.value;
  if (now?.key !== key) sort.value = { key, isDown: !isFirstUp };
  else if (now.isDown === isFirstUp) sort.value = null;
  else sort.value = { key, isDown: isFirstUp };
}

/** The lines now shown, as a table of text for a mail or a ticket. */
export function asText() {
  const rows = lines.value.map((line) => {
    const indent = "  ".repeat(line.level - 1);
    const entry = tree.value.entries.get(line.path);
    if (line.more || !entry) return [`${indent}… ${line.more} more`];
    const { row } = entry;
    const rate = rates(tree.value, entry);
    return [
      indent + row.name, stateOf(row).word, row.class, `${row.mailbox}/${row.mailbox_limit}${growth(rate.growth) && ` ${growth(rate.growth)}`}`,
      length(row.head_age_ms), `${perSecond(rate.messages)}/s`, share(rate.busy), String(row.restarts), row.last_exit ?? "",
    ];
  });
  const table = [["NAME", "STATE", "CLASS", "MAILBOX", "OLDEST", "MESSAGES", "BUSY", "RESTARTS", "LAST EXIT"], ...rows];
  const widths = table[0].map((_, at) => Math.max(...table.map((cells) => (cells.length > 1 ? cells[at].length : 0))));
  return table.map((cells) => cells.map((cell, at) => cell.padEnd(widths[at])).join("  ").trimEnd()).join("\n");
}

whenForgotten(() => {
  byHand.value = {};
  active.value = "";
  search.value = "";
});
