// @ts-check
/** Keys that steer the player from anywhere, except where a key already means something. */
import * as player from "./player.js";

const JUMP_SECONDS = 10;
const VOLUME_STEP = 0.05;

/** @type {Record<string, () => void>} */
const KEYS = {
  " ": player.toggle,
  ArrowLeft: () => player.seekBy(-JUMP_SECONDS),
  ArrowRight: () => player.seekBy(JUMP_SECONDS),
  ArrowUp: () => player.setVolume(player.volume.value + VOLUME_STEP),
  ArrowDown: () => player.setVolume(player.volume.value - VOLUME_STEP),
  m: player.toggleMute,
  n: player.next,
  p: player.previous,
};

/** Elements whose own keys come first: typing, sliding, scrolling a log, pressing with the space bar. */
const OWN_KEYS = "input, textarea, select, [contenteditable], [role=slider], [role=log], [role=menu], dialog, audio";
const OWN_SPACE = "button, a[href], summary, label";

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const action = KEYS[event.key];
  const target = event.target instanceof Element ? event.target : document.body;
  if (!action || !player.current.value || target.closest(OWN_KEYS) || document.querySelector("dialog[open]")) return;
  if (event.key === " " && target.closest(OWN_SPACE)) return;
  event.preventDefault();
  action();
}

export function listenToKeys() {
  document.addEventListener("keydown", onKey);
}
