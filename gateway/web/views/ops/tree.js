// @ts-check
/** The supervision tree as a live treegrid: only the rows in sight are drawn, the keyboard goes everywhere. */
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../app/dom.js";
import { navigate } from "../../app/router.js";
import { icon } from "../../ui/icon.js";
import { frameAt, tree } from "./live.js";
import { COLUMNS, RowOfActor, RowOfMore } from "./row.js";
import { isFlat } from "./rows.js";
import { active, entering, lines, look, setOpen, sort, sortBy } from "./look.js";
import { actorUrl } from "./words.js";

/** @typedef {import("./rows.js").Line} Line */

const OVERSCAN = 6;
const keyOf = (/** @type {Line} */ line) => (line.more ? `${line.path} …` : line.path);

/** @param {{selected: string}} props path of the actor whose details are open */
export function Tree({ selected }) {
  const all = lines.value;
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const view = useView(frame);
  const at = useActive(all);
  const focus = useFocus(frame, view, all, at);
  const first = Math.max(0, Math.floor(view.top / view.row) - OVERSCAN);
  const shown = all.slice(first, first + Math.ceil(view.height / view.row) + 2 * OVERSCAN).map((line, index) => ({ line, index: first + index }));
  // The row with the focus stays in the document, however far it was scrolled away.
  if (all[at] && at < first) shown.unshift({ line: all[at], index: at });
  else if (all[at] && at >= first + shown.length) shown.push({ line: all[at], index: at });
  const go = (/** @type {number} */ index) => { if (all[index]) focus(keyOf(all[index])); };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !all[at] || !(event.target instanceof Element && event.target.role === "row")) return;
    const page = Math.max(1, Math.floor(view.height / view.row) - 1);
    if (!press(event.key, { all, at, page, go })) return;
    event.preventDefault();
  };
  return html`<div class="ops-grid" role="treegrid" aria-label="Supervision tree" aria-rowcount=${all.length + 1} aria-colcount=${COLUMNS.length}
    ref=${frame} onScroll=${view.onScroll} onKeyDown=${onKeyDown}>
    <${Head} />
    <div role="rowgroup" class="ops-rows" style=${{ height: `${all.length * view.row}px` }}>
      ${shown.map(({ line, index }) => {
        const place = { key: keyOf(line), line, index, top: index * view.row, isActive: index === at, onFocus: () => { active.value = keyOf(line); } };
        return line.more
          ? html`<${RowOfMore} ...${place} />`
          : html`<${RowOfActor} ...${place} isSelected=${line.path === selected} isFlat=${isFlat(look.value)}
              entry=${tree.value.entries.get(line.path)} />`;
      })}
    </div>
    <p class="sr-only">${frameAt.value ? "" : "Waiting for the first figures."}</p>
  </div>`;
}

function Head() {
  const now = sort.value;
  return html`<div role="rowgroup" class="ops-head"><div role="row" class="ops-row" aria-rowindex="1">
    ${COLUMNS.map(({ key, place, label, full }, at) => {
      const direction = now?.key === key ? (now.isDown ? "descending" : "ascending") : null;
      return html`<div key=${key} role="columnheader" class=${`ops-cell ${place}`} aria-colindex=${at + 1} aria-sort=${direction ?? "none"}>
        <button type="button" class=${direction === "ascending" ? "ops-sort is-up" : "ops-sort"} title=${`Sort by ${full ?? label.toLowerCase()}`}
          onClick=${() => sortBy(key)}>${label}${direction && icon("arrow-down")}</button></div>`;
    })}
  </div></div>`;
}

/** What is in sight. @param {{current: HTMLElement | null}} frame */
function useView(frame) {
  const [view, setView] = useState({ top: 0, height: 600, row: 32, head: 32 });
  const measure = () => {
    const grid = frame.current;
    if (!grid) return;
    const row = Number.parseFloat(getComputedStyle(grid).getPropertyValue("--row")) || 32;
    const head = grid.firstElementChild?.clientHeight ?? 0;
    setView({ top: grid.scrollTop, height: grid.clientHeight, row, head });
  };
  useLayoutEffect(() => {
    measure();
    const watcher = new ResizeObserver(measure);
    if (frame.current) watcher.observe(frame.current);
    return () => watcher.disconnect();
  }, []);
  const onScroll = () => {
    const top = frame.current?.scrollTop ?? 0;
    if (Math.abs(top - view.top) >= view.row) measure();
  };
  return { ...view, onScroll };
}

/** The index of the one row that Tab reaches; when it goes away, its neighbour takes its place. @param {Line[]} all */
function useActive(all) {
  const last = useRef(0);
  const found = all.findIndex((line) => keyOf(line) === active.value);
  const at = found >= 0 ? found : Math.min(last.current, all.length - 1);
  useEffect(() => {
    last.current = Math.max(0, at);
    if (found < 0 && all[at]) active.value = keyOf(all[at]);
  });
  return at;
}

/** @param {HTMLElement | null} grid @returns {HTMLElement | null} */
const activeRow = (grid) => grid?.querySelector("[role=row][tabindex='0']") ?? null;

/**
 * Moves the focus to a row, in sight first; and keeps it in the grid when its row is drawn elsewhere or goes away.
 * @param {{current: HTMLElement | null}} frame @param {{row: number, head: number}} view @param {Line[]} all @param {number} at
 */
function useFocus(frame, view, all, at) {
  const isWanted = useRef(false);
  const hadFocus = useRef(false);
  useEffect(() => {
    const onFocusIn = (/** @type {FocusEvent} */ event) => {
      hadFocus.current = event.target instanceof Element && !!frame.current?.contains(event.target) && event.target.role === "row";
    };
    document.addEventListener("focusin", onFocusIn);
    return () => document.removeEventListener("focusin", onFocusIn);
  }, []);
  useLayoutEffect(() => {
    const isLost = hadFocus.current && document.activeElement === document.body;
    if (!isWanted.current && !isLost) return;
    isWanted.current = false;
    activeRow(frame.current)?.focus({ preventScroll: true });
  });
  return (/** @type {string} */ key) => {
    const grid = frame.current;
    const index = all.findIndex((line) => keyOf(line) === key);
    if (!grid || index < 0) return;
    const top = index * view.row;
    const room = grid.clientHeight - view.head - view.row;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top > grid.scrollTop + room) grid.scrollTop = top - room;
    if (index === at) activeRow(grid)?.focus({ preventScroll: true });
    isWanted.current = index !== at;
    active.value = key;
  };
}

/** @typedef {{all: Line[], at: number, page: number, go: (index: number) => void}} Keyboard */

/** The keys of the treegrid pattern (WAI-ARIA APG), rows only. @type {Record<string, (keyboard: Keyboard) => void>} */
const KEYS = {
  ArrowDown: ({ at, go }) => go(at + 1),
  ArrowUp: ({ at, go }) => go(at - 1),
  PageDown: ({ all, at, page, go }) => go(Math.min(all.length - 1, at + page)),
  PageUp: ({ at, page, go }) => go(Math.max(0, at - page)),
  Home: ({ go }) => go(0),
  End: ({ all, go }) => go(all.length - 1),
  ArrowRight: ({ all, at, go }) => {
    if (all[at].isOpen === false) setOpen(all[at].path, true);
    else if (all[at].isOpen) go(at + 1);
  },
  ArrowLeft: ({ all, at, go }) => {
    if (all[at].isOpen) setOpen(all[at].path, false);
    else go(all.slice(0, at).findLastIndex((line) => line.level < all[at].level));
  },
  Enter: ({ all, at }) => {
    entering.isWanted = true;
    navigate(actorUrl(all[at].path), { stay: true });
  },
};

/** Does what a key means; answers whether it means anything. @param {string} key @param {Keyboard} keyboard */
function press(key, keyboard) {
  if (!Object.hasOwn(KEYS, key)) return false;
  KEYS[key](keyboard);
  return true;
}
