// @ts-check
/** The actors at work: charts, the tree with its tools, and the one actor that was opened. */
import { html, useEffect, useRef, useState } from "../../app/dom.js";
import { navigate } from "../../app/router.js";
import { Dialog } from "../../ui/dialog.js";
import { icon } from "../../ui/icon.js";
import { Skeleton } from "../../ui/state.js";
import { Charts } from "./charts.js";
import { Detail } from "./detail.js";
import { freeze, frameAt, isFrozen, tree } from "./live.js";
import { active, asText, isUnhealthyOnly, lines, search } from "./look.js";
import { Tree } from "./tree.js";
import { ActorLink, count, stamp } from "./words.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** @param {{selected: string}} props path of the actor whose details are open; empty for none */
export function Work({ selected }) {
  const close = () => {
    active.value = selected;
    navigate("/ops", { stay: true });
    requestAnimationFrame(() => {
      /** @type {HTMLElement | null} */ (document.querySelector(".ops-grid [role=row][tabindex='0']"))?.focus();
    });
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || event.defaultPrevented || !selected || document.querySelector("dialog[open]")) return;
    if (event.target instanceof HTMLInputElement && event.target.value) return;
    event.preventDefault();
    close();
  };
  return html`${!selected && html`<${Charts} />`}
    <div class=${selected ? "ops-work is-split" : "ops-work"} onKeyDown=${onKeyDown}>
      <section class="ops-tree" aria-label="Actors"><${Tools} />
        ${tree.value.at ? html`<${Found} /><${Tree} selected=${selected} />` : html`<${Skeleton} rows=${6} />`}</section>
      ${selected && html`<${Detail} key=${selected} path=${selected} onClose=${close} />`}
    </div>`;
}

function Tools() {
  const [copied, setCopied] = useState("");
  const [text, setText] = useState("");
  const copy = async () => {
    const table = asText();
    try {
      await navigator.clipboard.writeText(table);
      setCopied(`${count(lines.value.length)} lines copied`);
    } catch {
      // Over plain http on a LAN there is no clipboard for pages: the text is shown to be taken by hand.
      setText(table);
    }
  };
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(""), 4000);
    return () => clearTimeout(timer);
  }, [copied]);
  const onSearch = (/** @type {any} */ event) => { search.value = event.currentTarget.value; };
  return html`<div class="ops-tools" role="group" aria-label="Tree">
    <label class="ops-search">${icon("search")}<span class="sr-only">Search actors</span>
      <input type="search" placeholder="Path or class" autocomplete="off" spellcheck=${false} value=${search.value} onInput=${onSearch} /></label>
    <${Toggle} isOn=${isUnhealthyOnly.value} onToggle=${() => { isUnhealthyOnly.value = !isUnhealthyOnly.value; }}
      art=${icon("triangle-alert")} label="Only unhealthy" />
    <${Toggle} isOn=${isFrozen.value} onToggle=${() => freeze(!isFrozen.value)} art=${icon("snowflake")} label="Freeze" />
    <button type="button" class="ops-tool" onClick=${copy} aria-label="Copy" title="Copy the tree as text">${icon("copy")}<span class="ops-spare">Copy</span></button>
    <p class="ops-tools-note" role="status">${copied || (isFrozen.value ? `Frozen at ${stamp(tree.value.at || frameAt.value)}` : "")}</p>
    ${text && html`<${AsText} text=${text} onClose=${() => setText("")} />`}
  </div>`;
}

/** @param {{isOn: boolean, onToggle: () => void, art: any, label: string}} props */
function Toggle({ isOn, onToggle, art, label }) {
  return html`<button type="button" class="ops-tool" aria-pressed=${String(isOn)} onClick=${onToggle} title=${label}>${art}<span>${label}</span></button>`;
}

/** @param {{text: string, onClose: () => void}} props */
function AsText({ text, onClose }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  useEffect(() => { field.current?.select(); }, []);
  return html`<${Dialog} title="The tree as text" onClose=${onClose}>
    <textarea class="ops-text" ref=${field} readonly rows="14" aria-label="The tree as text" value=${text}></textarea><//>`;
}

/** What a search or "only unhealthy" came to, and where else to look. */
function Found() {
  const wanted = search.value.trim();
  if (!wanted && !isUnhealthyOnly.value) return null;
  if (lines.value.length) return html`<p class="sr-only" role="status">${count(lines.value.length)} lines</p>`;
  const elsewhere = placesOf(wanted);
  return html`<div class="ops-none" role="status">
    <p>${wanted ? `No actor shown here matches “${wanted}”.` : "All actors are well."}</p>
    ${elsewhere.length > 0 && html`<p>The quieter ones of big families are not listed. It may be ${elsewhere.map((path, at) => html`
      ${at ? ", " : ""}<${ActorLink} key=${path} path=${path} />`)}.</p>`}
    <button type="button" class="link-button" onClick=${() => { search.value = ""; isUnhealthyOnly.value = false; }}>Show all</button>
  </div>`;
}

/** Paths that a search may have meant, below families that are shown in part. @param {string} wanted */
function placesOf(wanted) {
  if (wanted.includes("/")) return [wanted.startsWith("/") ? wanted : `/${wanted}`];
  if (!UUID.test(wanted)) return [];
  const places = [];
  for (const { row } of tree.value.entries.values()) {
    if (row.child_count > (tree.value.children.get(row.path)?.length ?? 0)) places.push(`${row.path}/${wanted.toLowerCase()}`);
  }
  return places;
}
