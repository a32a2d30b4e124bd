// @ts-check
/** A track's shape on a canvas, the played part in the track's colour; as a slider it seeks by pointer and by keyboard. */
import { html, useEffect, useLayoutEffect, useRef, useState } from "../app/dom.js";
import { clock } from "../app/format.js";

/** @typedef {import("../types/wire").Peaks} Peaks */

const BAR_PX = 2;
const GAP_PX = 1;
const FULL_SCALE = 128;
/** Seconds that each key moves; Home and End are handled apart. @type {Record<string, number>} */
const KEYS = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -30, PageUp: 30 };

/** The loudest sample under each bar, 0 to 1. @param {Peaks} peaks @param {number} count */
export function barsOf(peaks, count) {
  const bars = new Float32Array(count);
  for (let bar = 0; bar < count; bar += 1) {
    const from = Math.floor((bar * peaks.length) / count);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * peaks.length) / count));
    for (const [low, high] of peaks.slice(from, to)) bars[bar] = Math.max(bars[bar], -low / FULL_SCALE, high / FULL_SCALE);
  }
  return bars;
}

/** @param {HTMLCanvasElement} canvas @param {Peaks | null} peaks @param {number} played 0 to 1 */
function draw(canvas, peaks, played) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const shape = new Path2D();
  trace(shape, peaks, width, height);
  for (const [from, to, colour] of [[0, played * width, "--wave-played"], [played * width, width, "--wave-rest"]]) {
    context.save();
    context.beginPath();
    context.rect(Number(from), 0, Number(to) - Number(from), height);
    context.clip();
    context.fillStyle = style.getPropertyValue(String(colour));
    context.fill(shape);
    context.restore();
  }
}

/** @param {Path2D} shape @param {Peaks | null} peaks without any: a plain line to seek on @param {number} width @param {number} height */
function trace(shape, peaks, width, height) {
  if (!peaks?.length) {
    shape.roundRect(0, height / 2 - 2, width, 4, 2);
    return;
  }
  const bars = barsOf(peaks, Math.max(1, Math.floor(width / (BAR_PX + GAP_PX))));
  bars.forEach((level, at) => {
    const tall = Math.max(2, level * (height - 2));
    shape.roundRect(at * (BAR_PX + GAP_PX), (height - tall) / 2, BAR_PX, tall, BAR_PX / 2);
  });
}

/** Draws again when the size or the colour scheme changes. @param {{current: HTMLCanvasElement | null}} ref @param {() => void} redraw */
function useRedraw(ref, redraw) {
  const latest = useRef(redraw);
  latest.current = redraw;
  useEffect(() => {
    const again = () => latest.current();
    const sizes = new ResizeObserver(again);
    sizes.observe(/** @type {HTMLCanvasElement} */ (ref.current));
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", again);
    return () => { sizes.disconnect(); scheme.removeEventListener("change", again); };
  }, []);
}

/** The shape alone, for lists. @param {{peaks: Peaks | null, played?: number}} props */
export function Waveform({ peaks, played = 0 }) {
  const ref = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const redraw = () => { if (ref.current) draw(ref.current, peaks, played); };
  useLayoutEffect(redraw, [peaks, played]);
  useRedraw(ref, redraw);
  return html`<canvas class="waveform" aria-hidden="true" ref=${ref}></canvas>`;
}

/**
 * The shape as a slider over the track's time.
 * @param {{peaks: Peaks | null, position: number, duration: number, label: string, onSeek: (seconds: number) => void}} props
 */
export function SeekBar({ peaks, position, duration, label, onSeek }) {
  const [dragged, setDragged] = useState(/** @type {number | null} */ (null));
  const share = (/** @type {PointerEvent} */ event) => {
    const { left, width } = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width));
  };
  const at = dragged ?? (duration ? Math.min(1, position / duration) : 0);
  const handlers = {
    onPointerDown(/** @type {PointerEvent} */ event) {
      if (event.button || !duration) return;
      /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
      setDragged(share(event));
    },
    onPointerMove(/** @type {PointerEvent} */ event) { if (dragged !== null) setDragged(share(event)); },
    onPointerUp(/** @type {PointerEvent} */ event) {
      if (dragged === null) return;
      setDragged(null);
      onSeek(share(event) * duration);
    },
    onPointerCancel() { setDragged(null); },
    onKeyDown(/** @type {KeyboardEvent} */ event) {
      const to = target(event.key, position, duration);
      if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      onSeek(to);
    },
  };
  return html`<div class="seekbar" role="slider" tabindex="0" aria-label=${label} aria-valuemin="0"
      aria-valuemax=${Math.round(duration)} aria-valuenow=${Math.round(at * duration)}
      aria-valuetext=${`${clock(at * duration)} of ${clock(duration || null)}`} ...${handlers}>
    <${Waveform} peaks=${peaks} played=${at} />
    <span class="playhead" style=${{ left: `${at * 100}%` }}></span>
  </div>`;
}

/** @param {string} key @param {number} position @param {number} duration */
function target(key, position, duration) {
  if (key === "Home") return 0;
  if (key === "End") return duration;
  return KEYS[key] ? Math.min(duration, Math.max(0, position + KEYS[key])) : null;
}
