// @ts-check
/** A message's text on the page: styles, code, quotes, names, and tracks that play at a time. Other links stay text. */
import { html, useEffect, useMemo, useState } from "../../app/dom.js";
import { clock, hue } from "../../app/format.js";
import { parse } from "../../app/markup.js";
import * as player from "../../app/player.js";
import { fetchTrack, isPlayable, me, trackCell } from "../../app/store.js";
import { icon } from "../../ui/icon.js";

/** @typedef {import("../../app/markup.js").Node} Node */

const ROOM = "room";

/** @param {{text: string}} props */
export function MessageText({ text }) {
  const nodes = useMemo(() => parse(text, location.host), [text]);
  return html`<div class="message-text" dir="auto">${nodes.map(drawn)}</div>`;
}

/** @param {Node} node @returns {any} */
function drawn(node) {
  switch (node.kind) {
    case "text": return node.text;
    case "code": return html`<code class="message-code">${node.text}</code>`;
    case "block": return html`<pre class="message-block" tabindex="0"><code>${node.text}</code></pre>`;
    case "mention": return html`<${Name} name=${node.name} />`;
    case "track": return html`<${TrackCard} id=${node.trackId} atMs=${node.atMs} text=${node.text} />`;
    case "bold": return html`<strong>${node.children.map(drawn)}</strong>`;
    case "italic": return html`<em>${node.children.map(drawn)}</em>`;
    case "strike": return html`<s>${node.children.map(drawn)}</s>`;
    case "spoiler": return html`<${Spoiler} nodes=${node.children} />`;
    default: return html`<blockquote class="message-quote">${node.children.map(drawn)}</blockquote>`;
  }
}

/** @param {{name: string}} props */
function Name({ name }) {
  const lower = name.toLowerCase();
  const isMine = lower === ROOM || lower === me.value?.username.toLowerCase();
  return html`<span class=${isMine ? "mention is-mine" : "mention"}>@${name}</span>`;
}

/** Hidden from ears as well as from eyes until it is asked for. @param {{nodes: Node[]}} props */
function Spoiler({ nodes }) {
  const [shown, setShown] = useState(false);
  if (shown) return html`<span class="spoiler is-shown">${nodes.map(drawn)}</span>`;
  return html`<button type="button" class="spoiler" aria-label="Show spoiler" onClick=${() => setShown(true)}>
    <span aria-hidden="true">${wordsOf(nodes)}</span></button>`;
}

/** A button may not hold another one: while it is hidden, a spoiler is its words. @param {Node[]} nodes @returns {string} */
function wordsOf(nodes) {
  return nodes.map((node) => {
    if ("children" in node) return wordsOf(node.children);
    return node.kind === "mention" ? `@${node.name}` : node.text;
  }).join("");
}

/** @param {{id: string, atMs: number, text: string}} props */
function TrackCard({ id, atMs, text }) {
  const track = trackCell(id).value;
  const [isMissing, setMissing] = useState(false);
  useEffect(() => { if (!trackCell(id).value) fetchTrack(id).catch(() => setMissing(true)); }, [id]);
  if (!track) return isMissing ? text : html`<span class="track-card is-loading">${icon("play")} <span>Track</span></span>`;
  const at = atMs / 1000;
  const place = at ? ` at ${clock(at)}` : "";
  return html`<span class="track-card" style=${{ "--hue": hue(id) }} data-track=${id}>
    <button type="button" class="track-card-play" disabled=${!isPlayable(track)} aria-label=${`Play ${track.title}${place}`}
      onClick=${() => playAt(id, at)}>${icon("play")}</button>
    <a href=${`/tracks/${id}${at ? `?t=${at}` : ""}`}>${track.title}</a>
    ${at > 0 && html`<span class="track-card-time">${clock(at)}</span>`}
  </span>`;
}

/** In the track that is playing it only moves there: nothing is loaded again. @param {string} id @param {number} at seconds */
function playAt(id, at) {
  if (player.current.value?.id !== id || player.playError.value) player.playTrack(id, [id], at);
  else {
    player.seek(at);
    player.play();
  }
}
