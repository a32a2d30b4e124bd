// @ts-check
/** The newest tracks of this place. */
import { html, lazy, useEffect } from "../../app/dom.js";
import { catalogue, loadCatalogue } from "../../app/store.js";
import { icon } from "../../ui/icon.js";
import { Empty, Failure, Skeleton, useTitle } from "../../ui/state.js";
import { TrackRow } from "../../ui/trackrow.js";

const Continue = lazy(async () => (await import("../../ui/continue.js")).Continue);

export function Home() {
  useTitle("Tracks");
  useEffect(() => { loadCatalogue(); }, []);
  const { ids, next, status, error } = catalogue.value;
  return html`<div class="page">
    <header class="page-head"><h1>Tracks</h1>
      <a class="button" href="/upload">${icon("upload")} Upload</a></header>
    <${Continue} />
    ${status === "error" && html`<${Failure} what="The tracks could not be loaded." error=${error} onRetry=${() => loadCatalogue()} />`}
    ${!ids.length && (status === "idle" || status === "loading") && html`<${Skeleton} />`}
    ${!ids.length && status === "ready" && html`<${Nothing} />`}
    ${ids.length > 0 && html`<ol class="track-list" aria-label="Tracks" data-testid="track-list">
      ${ids.map((id) => html`<${TrackRow} key=${id} id=${id} among=${ids} />`)}</ol>`}
    ${next && html`<button type="button" class="button button-quiet more" disabled=${status === "loading"}
      onClick=${() => loadCatalogue({ more: true })}>Show more</button>`}
  </div>`;
}

function Nothing() {
  return html`<${Empty} art=${icon("audio-lines")} title="No tracks yet">
    <p>Music that people upload here shows up in this list, and can be played while it is still being processed.</p>
    <a class="button button-primary" href="/upload">${icon("upload")} Upload the first track</a>
  <//>`;
}
