// @ts-check
/** The live figures while somebody looks: one subscription for the page, taken up again after gaps, hiding and lost connections. */
import { api } from "../../app/api.js";
import { batch, signal } from "../../app/dom.js";
import { whenForgotten } from "../../app/store.js";
import { connection, on, request } from "../../app/ws.js";
import { applied, emptyTree, follows } from "./rows.js";

/** @typedef {import("../../types/ops").TreeFrame} TreeFrame @typedef {import("../../types/ops").NodeFigures} NodeFigures */
/** @typedef {{rate: number, cpu: number}} NodeRates */
/** One point a second; null is a gap. @typedef {{at: number, rate: number | null, age: number | null, lag: number | null}} Point */

const HISTORY_SECONDS = 300;
/** Frames come once a second: without three of them the figures are old. */
const STALE_MS = 3500;
const BLOCK_MS = 250;
const SHORTEST_SECONDS = 0.2;
const GAP_SECONDS = 5;

export const tree = signal(emptyTree());
export const node = signal(/** @type {NodeFigures | null} */ (null));
export const nodeRates = signal(/** @type {NodeRates} */ ({ rate: 0, cpu: 0 }));
export const frameAt = signal(0);
export const history = signal(/** @type {Point[]} */ ([]));
export const blocks = signal(/** @type {import("../../types/ops").Block[]} */ ([]));
/** Why the server will not show the figures. */
export const refusal = signal(/** @type {import("../../app/api.js").ApiError | null} */ (null));
export const isStale = signal(false);
/** The tree stands still while this is true; the node's figures go on. */
export const isFrozen = signal(false);

let isWanted = false;
let isAsking = false;
let heardAt = 0;
let timer = 0;
let knownLag = 0;
/** The figures that the next frame is measured against. @type {{at: number, id: string, messages: number, cpu: number} | null} */
let measured = null;

/** Starts watching; answers what ends it. */
export function watch() {
  isWanted = true;
  ask();
  readBlocks();
  document.addEventListener("visibilitychange", onVisibility);
  timer = setInterval(() => { isStale.value = heardAt > 0 && Date.now() - heardAt > STALE_MS; }, 1000);
  return () => {
    isWanted = false;
    isFrozen.value = false;
    clearInterval(timer);
    document.removeEventListener("visibilitychange", onVisibility);
    leave();
  };
}

/** Asks for everything anew: after a gap, a freeze, a reconnect. */
export async function ask() {
  if (!isWanted || isAsking || document.hidden || connection.value.state !== "ready") return;
  isAsking = true;
  try {
    await request("ops.watch", {});
    refusal.value = null;
  } catch (thrown) {
    const error = /** @type {import("../../app/api.js").ApiError} */ (thrown);
    // A lost connection asks again by itself once it is back.
    if (error.code !== "disconnected") refusal.value = error;
  } finally {
    isAsking = false;
  }
}

function leave() {
  if (connection.value.state === "ready") request("ops.unwatch", {}).catch(() => {});
}

function onVisibility() {
  if (document.hidden) leave();
  else ask();
}

async function readBlocks() {
  try {
    const { data } = await api("GET", "/ops/nodes");
    blocks.value = data.flatMap((/** @type {NodeFigures} */ each) => each.blocks ?? []);
  } catch {
    // The figures of the live frames say the same in fewer words.
  }
}

/** @param {boolean} isWantedFrozen */
export function freeze(isWantedFrozen) {
  isFrozen.value = isWantedFrozen;
  if (!isWantedFrozen) ask();
}

/** @param {TreeFrame} frame */
function take(frame) {
  if (!isWanted) return;
  heardAt = Date.now();
  batch(() => {
    isStale.value = false;
    measure(frame);
    node.value = frame.node;
    frameAt.value = Date.parse(frame.at);
    if (isFrozen.value && tree.value.at) return;
    if (follows(tree.value, frame)) tree.value = applied(tree.value, frame);
    else ask();
  });
}

/** Adds a point to the history; figures a second come from the frame before. @param {TreeFrame} frame */
function measure(frame) {
  const at = Date.parse(frame.at) / 1000;
  const { node_id: id, messages, cpu_seconds: cpu, loop_lag_ms: lag, loop_lag_max_ms: worst } = frame.node;
  const before = measured;
  const seconds = before ? at - before.at : 0;
  // A frame that answers a watch may come right behind another: too short to measure.
  if (before && seconds >= 0 && seconds < SHORTEST_SECONDS) return;
  measured = { at, id, messages, cpu };
  const isNext = before?.id === id && seconds > 0 && seconds < GAP_SECONDS;
  const rate = before && isNext ? Math.max(0, messages - before.messages) / seconds : null;
  if (before && isNext) nodeRates.value = { rate: rate ?? 0, cpu: Math.max(0, cpu - before.cpu) / seconds };
  const gap = before && !isNext ? [{ at: at - 0.001, rate: null, age: null, lag: null }] : [];
  const points = [...history.value, ...gap, { at, rate, age: oldest(frame), lag }];
  history.value = points.filter((point) => point.at > at - HISTORY_SECONDS);
  if (worst >= BLOCK_MS && worst > knownLag) readBlocks();
  knownLag = worst;
}

/** How long the oldest message of the node waits: the root's roll-up knows. @param {TreeFrame} frame */
function oldest(frame) {
  const told = frame.actors.find((row) => !row.parent);
  const root = told ?? tree.value.entries.get(tree.value.roots[0] ?? "")?.row;
  return root ? root.below.head_age_ms : null;
}

on("ops.tree", ({ d }) => take(d));
on("ready", () => ask());
whenForgotten(() => {
  batch(() => {
    tree.value = emptyTree();
    node.value = null;
    history.value = [];
    measured = null;
    blocks.value = [];
    refusal.value = null;
    isFrozen.value = false;
  });
});
