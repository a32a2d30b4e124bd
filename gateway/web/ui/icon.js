// @ts-check
/** Drawings that stand for something: the icon set, the mark, and the cover that every track has by its id. */
import { html } from "../app/dom.js";
import { hue, seed } from "../app/format.js";

const SPRITE = new URL("../icons.svg", import.meta.url).pathname;

/** An icon beside text or inside a labelled button. A test reads the names, so give them as literals. @param {string} name */
export function icon(name) {
  return html`<svg class="icon" aria-hidden="true" focusable="false"><use href=${`${SPRITE}#${name}`} /></svg>`;
}

/** The mark: five strokes of sound that make a V. */
export function Mark() {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path d="M4 4v9 M10 7v13 M16 12v16 M22 7v13 M28 4v9" />
  </svg>`;
}

/** @typedef {{id: string, artwork_url: string | null}} Pictured */

/** The picture of a track, else rings of sound, a different drawing for each. @param {{track: Pictured, size?: string}} props */
export function Cover({ track: { id, artwork_url: url }, size = "" }) {
  if (url) return html`<img class=${`cover ${size}`} style=${{ "--hue": hue(id) }} src=${url} alt="" loading="lazy" decoding="async" />`;
  const base = seed(id);
  const rings = [6, 11, 16, 21, 26].map((radius, at) => {
    const turn = 2 * Math.PI * radius;
    const draw = (base >>> (at * 5)) & 31;
    const share = 0.25 + (draw / 31) * 0.6;
    return html`<circle r=${radius} stroke-dasharray=${`${turn * share} ${turn * (1 - share)}`}
      transform=${`rotate(${(draw * 47 + at * 71) % 360})`} />`;
  });
  return html`<svg class=${`cover ${size}`} style=${{ "--hue": hue(id) }} viewBox="-32 -32 64 64"
    aria-hidden="true" focusable="false">${rings}<circle class="dot" r="2.5" /></svg>`;
}

/** @param {{id: string, name: string}} props */
export function Avatar({ id, name }) {
  return html`<span class="avatar" style=${{ "--hue": hue(id) }} aria-hidden="true">${[...name][0]?.toUpperCase() ?? "?"}</span>`;
}
