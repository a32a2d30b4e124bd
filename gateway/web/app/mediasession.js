// @ts-check
/** Lock screen, headset and keyboard media keys see and steer the one player. */
import { effect } from "./dom.js";
import * as player from "./player.js";

const { current, duration, playing, position } = player;

const JUMP_SECONDS = 10;

/** Connects the page's media session with the player; called once. */
export function announce() {
  if (!("mediaSession" in navigator)) return;
  const session = navigator.mediaSession;
  /** @type {Partial<Record<MediaSessionAction, (details: MediaSessionActionDetails) => void>>} */
  const handlers = {
    play: player.play,
    pause: player.pause,
    nexttrack: player.next,
    previoustrack: player.previous,
    seekto: ({ seekTime }) => player.seek(seekTime ?? 0),
    seekbackward: ({ seekOffset }) => player.seek(position.peek() - (seekOffset ?? JUMP_SECONDS)),
    seekforward: ({ seekOffset }) => player.seek(position.peek() + (seekOffset ?? JUMP_SECONDS)),
  };
  for (const [action, handler] of Object.entries(handlers)) {
    session.setActionHandler(/** @type {MediaSessionAction} */ (action), handler);
  }
  effect(() => { session.metadata = metadataOf(current.value); });
  effect(() => { session.playbackState = !current.value ? "none" : playing.value ? "playing" : "paused"; });
  effect(() => place(session));
}

/** @param {import("../types/wire").Track | null} track */
function metadataOf(track) {
  if (!track) return null;
  const { title, album, artwork_url: src } = track;
  const artwork = src ? [{ src, sizes: "512x512", type: "image/webp" }] : [];
  return new MediaMetadata({ title, album, artist: track.artist || track.owner.name, artwork });
}

/** The system counts on by itself between two calls. @param {MediaSession} session */
function place(session) {
  const length = duration.value;
  if (!length || !("setPositionState" in session)) return;
  session.setPositionState({ duration: length, position: Math.min(position.value, length) });
}
