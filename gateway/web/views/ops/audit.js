// @ts-check
/** Every privileged act, with who and why. */
import { html } from "../../app/dom.js";
import { useTitle } from "../../ui/state.js";
import { Paged, usePages } from "./paged.js";
import { When } from "./words.js";

/** @typedef {import("../../types/ops").Act} Act */

export function Audit() {
  useTitle("Audit · Ops");
  const { pages, load } = usePages("/audit");
  return html`<${Paged} title="Audit" pages=${pages} load=${load} none="No privileged act yet.">
    <div class="ops-scroll ops-flow" tabindex="0" role="region" aria-label="Audit"><table class="ops-table">
      <thead><tr><th scope="col">At</th><th scope="col">Who</th><th scope="col">Act</th><th scope="col">On</th><th scope="col">Why</th></tr></thead>
      <tbody>${pages.data.map((/** @type {Act} */ act) => html`<tr key=${act.act_id}>
        <td><${When} at=${act.at} /></td><td>${act.actor_name}<span class="ops-of"> by ${act.via}</span></td><td>${act.action}</td>
        <td class="ops-path">${act.target}</td><td class="ops-grow">${act.reason}</td></tr>`)}</tbody></table></div><//>`;
}
