// @ts-check
/** Who is connected, since when, and whose queue grows. */
import { html } from "../../app/dom.js";
import { bytes } from "../../app/format.js";
import { useTitle } from "../../ui/state.js";
import { Paged, usePages } from "./paged.js";
import { When, length } from "./words.js";

/** @typedef {import("../../types/ops").OpenConnection} OpenConnection */

export function Connections() {
  useTitle("Connections · Ops");
  const { pages, load } = usePages("/ops/connections");
  return html`<${Paged} title="Connections" pages=${pages} load=${load} none="Nobody is connected.">
    <div class="ops-scroll ops-flow" tabindex="0" role="region" aria-label="Connections"><table class="ops-table">
      <thead><tr><th scope="col">User</th><th scope="col">Address</th><th scope="col">Opened</th><th scope="col">Silent for</th><th scope="col">Queue</th></tr></thead>
      <tbody>${pages.data.map((/** @type {OpenConnection} */ each) => html`<tr key=${each.connection_id}>
        <td class="ops-grow">${each.user?.name ?? html`<span class="ops-of">not signed in</span>`}</td><td>${each.address}</td><td><${When} at=${each.opened_at} /></td>
        <td class="ops-number">${length(each.idle_ms)}</td><td class="ops-number">${bytes(each.queue_bytes)}</td></tr>`)}</tbody></table></div><//>`;
}
