// @ts-check
/** Three small charts of the last five minutes, each with its figures in words. */
import { html, useEffect, useRef, useState } from "../../app/dom.js";
import { history } from "./live.js";
import { addSheet } from "./sheet.js";
import { brief, perSecond, stamp } from "./words.js";

/** @typedef {import("./live.js").Point} Point @typedef {"rate" | "age" | "lag"} Series */

const SPAN_SECONDS = 300;
const HEIGHT = 76;
const SHEET = new URL("../../vendor/uplot.css", import.meta.url).href;
/** @type {Promise<any> | null} */
let loading = null;

function plotter() {
  loading ??= Promise.all([import("../../vendor/uplot.js"), addSheet(SHEET)]).then(([module]) => module.default);
  return loading;
}

export function Charts() {
  return html`<div class="ops-charts">
    <${Chart} name="Messages a second" series="rate" say=${perSecond} floor=${10} />
    <${Chart} name="Oldest waiting message" series="age" say=${brief} floor=${100} />
    <${Chart} name="Event loop lag" series="lag" say=${brief} floor=${10} />
  </div>`;
}

/** @param {{name: string, series: Series, say: (value: number) => string, floor: number}} props floor: the least that fills the height */
function Chart({ name, series, say, floor }) {
  const [hovered, setHovered] = useState(/** @type {Point | null} */ (null));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const points = history.value;
  usePlot(box, series, say, floor, setHovered);
  const known = points.map((point) => point[series]).filter((value) => value !== null);
  const now = known.at(-1);
  const at = hovered?.[series];
  return html`<figure class="ops-chart">
    <figcaption><span class="ops-chart-name">${name}</span>
    ${now === undefined ? html`<span class="ops-of">no figures yet</span>`
        : hovered && at !== null && at !== undefined ? html`<strong>${say(at)}</strong><span class="ops-of">at ${stamp(hovered.at * 1000)}</span>`
          : html`<strong>${say(now)}</strong><span class="ops-of">min ${say(Math.min(...known))} · max ${say(Math.max(...known))}</span>`}
    </figcaption>
    <div class="ops-plot" ref=${box} aria-hidden="true"></div>
  </figure>`;
}

/**
 * @param {{current: HTMLElement | null}} box @param {Series} series @param {(value: number) => string} say @param {number} floor
 * @param {(point: Point | null) => void} onHover
 */
function usePlot(box, series, say, floor, onHover) {
  const plot = useRef(/** @type {any} */ (null));
  useEffect(() => {
    let isGone = false;
    const redraw = () => plot.current?.redraw(false);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const watcher = new ResizeObserver(() => {
      if (box.current) plot.current?.setSize({ width: box.current.clientWidth, height: HEIGHT });
    });
    plotter().then((Plot) => {
      if (isGone || !box.current) return;
      plot.current = new Plot(options(box.current, say, floor, onHover), columns(history.peek(), series), box.current);
      watcher.observe(box.current);
      scheme.addEventListener("change", redraw);
    }, () => {
      // The figures in words say the same.
    });
    return () => {
      isGone = true;
      watcher.disconnect();
      scheme.removeEventListener("change", redraw);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => { plot.current?.setData(columns(history.value, series)); }, [history.value]);
}

/** @param {Point[]} points @param {Series} series */
const columns = (points, series) => [points.map(({ at }) => at), points.map((point) => point[series])];

/** @param {HTMLElement} box @param {(value: number) => string} say @param {number} floor @param {(point: Point | null) => void} onHover */
function options(box, say, floor, onHover) {
  const colour = (/** @type {string} */ name) => getComputedStyle(box).getPropertyValue(name);
  const axis = { stroke: () => colour("--ink-axis"), font: `11px ${getComputedStyle(box).fontFamily}`, ticks: { show: false }, gap: 4 };
  return {
    width: box.clientWidth, height: HEIGHT, padding: [6, 16, 0, 0], legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 } },
    scales: {
      x: { time: true, range: (/** @type {any} */ _plot, /** @type {number} */ _low, /** @type {number} */ high) => [high - SPAN_SECONDS, high] },
      y: { range: (/** @type {any} */ _plot, /** @type {number} */ _low, /** @type {number} */ high) => [0, Math.max(floor, (high || 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 18, space: 45, grid: { show: false }, values: (/** @type {any} */ _plot, /** @type {number[]} */ splits) => splits.map(hourAndMinute) },
      {
        ...axis, size: 50, space: 28, grid: { stroke: () => colour("--line-axis"), width: 1 },
        values: (/** @type {any} */ _plot, /** @type {number[]} */ splits) => splits.map(say),
      },
    ],
    series: [{}, {
      stroke: () => colour("--wave-played"), width: 1.5, points: { show: false }, spanGaps: false,
      fill: () => colour("--fill-axis"),
    }],
    hooks: { setCursor: [(/** @type {any} */ plot) => onHover(plot.cursor.idx === null ? null : history.peek()[plot.cursor.idx] ?? null)] },
  };
}

/** @param {number} seconds */
const hourAndMinute = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
