// @ts-check
/** Crashes by fingerprint: same class, same exception, same place in the code. */
import { api } from "../../app/api.js";
import { html, useEffect, useState } from "../../app/dom.js";
import { icon } from "../../ui/icon.js";
import { Failure, Skeleton, useTitle } from "../../ui/state.js";
import { Paged, usePages } from "./paged.js";
import { ActorLink, When, count } from "./words.js";

/** @typedef {import("../../types/ops").CrashGroup} CrashGroup @typedef {import("../../types/ops").Crash} Crash */

/** @param {{id: string}} props fingerprint of the group in the address */
export function Crashes({ id }) {
  return id ? html`<${Group} key=${id} fingerprint=${id} />` : html`<${Groups} />`;
}

function Groups() {
  useTitle("Crashes · Ops");
  const { pages, load } = usePages("/ops/crashes");
  return html`<${Paged} title="Crashes" pages=${pages} load=${load} none="Nothing has crashed."
    note=${`${count(pages.total)} in ${pages.data.length} ${pages.data.length === 1 ? "group" : "groups"}`}>
    <ul class="ops-cards" aria-label="Crash groups">${pages.data.map((group) => html`<${GroupCard} key=${group.fingerprint} group=${group} />`)}</ul><//>`;
}

/** @param {{group: CrashGroup}} props */
function GroupCard({ group }) {
  return html`<li class="ops-card"><div class="ops-card-text">
      <p><a class="ops-link" href=${`/ops/crashes/${encodeURIComponent(group.fingerprint)}`}><strong>${group.error_type}</strong> in ${group.class}</a></p>
      <p>${group.error}</p><${Facts} group=${group} /></div>
    <p class="ops-count" title=${`${count(group.count)} times`}>${count(group.count)}<span class="sr-only"> times</span><span aria-hidden="true">×</span></p></li>`;
}

/** @param {{group: CrashGroup}} props */
function Facts({ group }) {
  return html`<p class="ops-of">at ${group.command || "start"} · first <${When} at=${group.first_at} /> · last <${When} at=${group.last_at} /> in <${ActorLink} path=${group.last_path} /></p>`;
}

/** @param {{fingerprint: string}} props */
function Group({ fingerprint }) {
  const [read, setRead] = useState(/** @type {{group: CrashGroup, crashes: Crash[]} | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  useTitle(`${read?.group.error_type ?? "Crash"} · Ops`);
  const load = async () => {
    setError(null);
    try {
      setRead(await api("GET", `/ops/crashes/${encodeURIComponent(fingerprint)}`));
    } catch (thrown) {
      setError(thrown);
    }
  };
  useEffect(() => { load(); }, []);
  return html`<p><a class="ops-back" href="/ops/crashes">${icon("chevron-left")}All crashes</a></p>
    ${error && html`<${Failure} what="This crash could not be loaded." error=${error} onRetry=${load} />`}
    ${!read && !error && html`<${Skeleton} rows=${3} />`}
    ${read && html`<header class="ops-crash"><h2>${read.group.error_type} in ${read.group.class}</h2><p>${read.group.error}</p>
        <p>${count(read.group.count)} ${read.group.count === 1 ? "time" : "times"}</p><${Facts} group=${read.group} /></header>
      <ul class="ops-cards" aria-label="Crashes">${read.crashes.map((crash, at) => html`<${OneCrash} key=${at} crash=${crash} isFirst=${at === 0} />`)}</ul>`}`;
}

/** @param {{crash: Crash, isFirst: boolean}} props */
function OneCrash({ crash, isFirst }) {
  const { at, path, command, error, request_id: request, traceback } = crash;
  return html`<li class="ops-card"><div class="ops-card-text">
    <p><${When} at=${at} /> in <${ActorLink} path=${path} />${command && html` at <strong>${command}</strong>`}</p>
    <p>${error}${request && html`<span class="ops-of"> · request <code>${request}</code></span>`}</p>
    <details class="ops-fold" open=${isFirst}><summary>Traceback</summary><pre class="ops-trace" tabindex="0">${traceback}</pre></details></div></li>`;
}
