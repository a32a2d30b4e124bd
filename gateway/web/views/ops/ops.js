// @ts-check
/** The page for those who look after the node: how it is, who works in it, what failed, and what was done about it. */
import { html, lazy, useEffect, useRef } from "../../app/dom.js";
import { route } from "../../app/router.js";
import { isOperator } from "../../app/store.js";
import { icon } from "../../ui/icon.js";
import { Empty, useTitle } from "../../ui/state.js";
import { ask, node, refusal, watch } from "./live.js";
import { Alarms, Heading, Strip } from "./overview.js";
import { useSheet } from "./sheet.js";
import { Work } from "./work.js";
import { count } from "./words.js";

const SHEET = new URL("./ops.css", import.meta.url).href;

/** @type {Record<string, any>} */
const LISTS = {
  "dead-letters": lazy(async () => (await import("./letters.js")).DeadLetters),
  crashes: lazy(async () => (await import("./crashes.js")).Crashes),
  connections: lazy(async () => (await import("./connections.js")).Connections),
  audit: lazy(async () => (await import("./audit.js")).Audit),
};

export function Ops() {
  useTitle("Ops");
  if (!isOperator.value) return html`<${Closed} />`;
  return html`<${Open} />`;
}

function Closed() {
  return html`<div class="page"><${Empty} art=${icon("shield-alert")} title="You need the role ops">
    <p>This page shows how the node runs, to those who look after it. Ask whoever runs this place for the role.</p>
    <a class="button" href="/">To the tracks</a><//></div>`;
}

function Open() {
  const isStyled = useSheet(SHEET);
  useEffect(watch, []);
  if (!isStyled) return null;
  const [section, ...rest] = route.value.id.split("/").map(decoded);
  const List = LISTS[section];
  const isDetailed = section === "actors";
  return html`<div class="ops">
    <${Heading} /><${Tabs} section=${List ? section : ""} />
    ${refusal.value && html`<div class="notice" role="alert"><p><strong>No live figures.</strong> ${refusal.value.message}</p>
      <button type="button" class="button button-small" onClick=${ask}>Retry</button></div>`}
    ${!List && html`<${Alarms} isShort=${isDetailed} />`}
    <${Strip} />
    ${List ? html`<div class="ops-list"><${List} id=${rest.join("/")} /></div>`
      : html`<${Work} selected=${isDetailed ? `/${rest.join("/")}` : ""} />`}
  </div>`;
}

/** @param {string} part of an address; what cannot be decoded was typed by hand */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {{section: string}} props */
function Tabs({ section }) {
  const { dead_letters: letters = 0, crashes = 0 } = node.value ?? {};
  const bar = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => { bar.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }); }, [section]);
  const tab = (/** @type {string} */ name, /** @type {string} */ label, /** @type {number} */ badge) => html`
    <a class="ops-tab" href=${name ? `/ops/${name}` : "/ops"} aria-current=${section === name ? "page" : null}>${label}
      ${badge > 0 && html`<span class="ops-tab-count">${count(badge)}</span>`}</a>`;
  return html`<nav class="ops-tabs" aria-label="Ops" ref=${bar}>
    ${tab("", "Actors", 0)}${tab("dead-letters", "Dead letters", letters)}${tab("crashes", "Crashes", crashes)}
    ${tab("connections", "Connections", 0)}${tab("audit", "Audit", 0)}
  </nav>`;
}
