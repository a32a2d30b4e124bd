// @ts-check
/** The one `<audio>` element and its loader (hls.js, else the browser's own HLS): renews expired addresses, recovers what can be recovered, reports into `player.js`. */
import { api } from "./api.js";
import { batch, effect } from "./dom.js";
import * as listening from "./listening.js";
import { announce } from "./mediasession.js";
import * as player from "./player.js";

/** @typedef {ReturnType<typeof createEngine>} Engine */
/** @typedef {import("../types/wire").Playback} Playback */

/**
 * No worker: its script would be a blob, which the page's policy forbids. hls.js counts its buffer in bytes of video; for sound
 * that would fetch ten minutes ahead, most of which nobody hears.
 */
const HLS_OPTIONS = { enableWorker: false, maxBufferLength: 30, maxMaxBufferLength: 60, backBufferLength: 120 };

/** A renewed address that fails again within this stretch of the track is not the cure. */
const RENEWAL_SECONDS = 1;

export function createEngine() {
  const audio = document.body.appendChild(document.createElement("audio"));
  /** @type {any} */
  let hls = null;
  let trackId = "";
  /** Counts loads, so that the answer to an older one is let go. */
  let turn = 0;
  /** While loading, the element's own position means nothing. */
  let loading = false;
  let renewedAt = -Infinity;
  let renewing = false;
  let repaired = false;

  /** Plays another track from the player's position. @param {string} id */
  async function load(id) {
    trackId = id;
    renewedAt = -Infinity;
    repaired = false;
    loading = true;
    listening.begin(id);
    detach();
    audio.pause();
    await open();
  }

  /** Fetches an address for the track and plays from where we are then. */
  async function open() {
    const mine = ++turn;
    try {
      const [playback, Hls] = await Promise.all([api("GET", `/tracks/${trackId}/playback`), loader()]);
      if (mine !== turn) return;
      const at = position();
      detach();
      loading = true;
      if (Hls) attachHls(Hls, playback, at);
      else attachNative(playback, at);
      await resume();
    } catch (error) {
      if (mine === turn) fail(/** @type {Error} */ (error).message);
    }
  }

  function detach() {
    hls?.destroy();
    hls = null;
    renewing = false;
  }

  /** Where the sound is, or where it is wanted as long as there is none. */
  const position = () => (loading || !audio.currentTime ? player.position.value : audio.currentTime);

  /** @param {any} Hls @param {Playback} playback @param {number} at */
  function attachHls(Hls, playback, at) {
    const mine = new Hls({ ...HLS_OPTIONS, startPosition: at });
    hls = mine;
    mine.on(Hls.Events.MANIFEST_PARSED, () => {
      player.qualities.value = mine.levels.map(qualityOf);
      choose();
    });
    mine.on(Hls.Events.LEVEL_SWITCHED, (/** @type {any} */ _, /** @type {any} */ { level }) => {
      player.quality.value = qualityOf(mine.levels[level]);
    });
    mine.on(Hls.Events.ERROR, (/** @type {any} */ _, /** @type {any} */ data) => {
      if (hls === mine && !renewing) troubled(Hls, data);
    });
    mine.loadSource(playback.lossless_url);
    mine.attachMedia(audio);
  }

  /** Keeps to the quality that is wanted; hls.js chooses among the others by the connection. */
  function choose() {
    const names = player.qualities.value;
    if (!hls || !names.length) return;
    const level = names.indexOf(player.wanted.value);
    hls.autoLevelCapping = names.includes(LOSSLESS) ? names.indexOf(LOSSLESS) - 1 : -1;
    if (hls.currentLevel < 0) hls.startLevel = level;
    hls.nextLevel = level;
  }

  /** @param {any} Hls @param {any} data */
  function troubled(Hls, data) {
    if ([401, 403, 410].includes(data.response?.code)) renew();
    else if (data.fatal && data.type === Hls.ErrorTypes.MEDIA_ERROR && !repaired) {
      repaired = true;
      hls.recoverMediaError();
    } else if (data.fatal) fail(reason(data));
  }

  /** @param {Playback} playback @param {number} at */
  function attachNative(playback, at) {
    player.quality.value = "Auto";
    audio.src = playback.hls_url;
    audio.addEventListener("loadedmetadata", () => { audio.currentTime = at; }, { once: true });
  }

  /** Takes a fresh address and goes on at the same place; the listener hears a short gap at most. */
  function renew() {
    const at = position();
    if (Math.abs(at - renewedAt) < RENEWAL_SECONDS) {
      fail("The server refused to play this track.");
      return;
    }
    renewedAt = at;
    // One expired address fails several requests; what is buffered plays on meanwhile.
    renewing = true;
    if (hls) hls.stopLoad();
    else loading = true;
    open();
  }

  /** @param {string} why */
  function fail(why) {
    turn += 1;
    detach();
    audio.removeAttribute("src");
    audio.load();
    batch(() => {
      player.playing.value = false;
      player.buffering.value = false;
      player.playError.value = why;
    });
  }

  /** Starts the sound if the listener still wants it. */
  async function resume() {
    if (!player.playing.value) return;
    try {
      await audio.play();
    } catch (error) {
      // NotAllowedError: the browser wants a press of the button first. AbortError: another load took over.
      if (/** @type {Error} */ (error).name === "NotAllowedError") player.playing.value = false;
    }
  }

  const tellDuration = () => { if (Number.isFinite(audio.duration)) player.mediaDuration.value = audio.duration; };
  const waiting = (/** @type {boolean} */ is) => { player.buffering.value = is && player.playing.value; };
  /** @type {Record<string, () => void>} */
  const reactions = {
    timeupdate() {
      if (loading || !audio.currentTime) return;
      player.position.value = audio.currentTime;
      listening.hear(audio.currentTime);
      player.rememberSometimes();
    },
    durationchange: tellDuration,
    canplay: () => { loading = false; },
    playing: () => { loading = false; waiting(false); },
    seeked: () => waiting(false),
    waiting: () => waiting(true),
    // The element stops by itself when headphones are pulled out or another tab takes the sound.
    pause: () => { listening.tell(); if (!loading && !audio.ended) player.playing.value = false; },
    play: () => { if (!loading) player.playing.value = true; },
    ended: player.ended,
    error: () => { if (!hls && audio.getAttribute("src")) renew(); },
  };
  for (const [event, react] of Object.entries(reactions)) audio.addEventListener(event, react);

  effect(() => { audio.volume = player.volume.value; });
  effect(() => { audio.muted = player.muted.value; });
  effect(choose);
  announce();

  return {
    load,
    play: resume,
    pause: () => audio.pause(),
    seek: (/** @type {number} */ at) => { audio.currentTime = reachable(audio, at); },
    stop() { turn += 1; detach(); audio.removeAttribute("src"); audio.load(); },
  };
}

/** Fetches hls.js, which is most of the page's bytes, when the first track plays. */
async function loader() {
  if (player.forceNative) return null;
  const { default: Hls } = await import("../vendor/hls.light.js");
  return Hls.isSupported() ? Hls : null;
}

/** A track that is still encoding can be heard as far as it is done. @param {HTMLAudioElement} audio @param {number} at */
function reachable(audio, at) {
  const { seekable } = audio;
  return seekable.length ? Math.min(at, Math.max(0, seekable.end(seekable.length - 1) - 0.1)) : at;
}

const LOSSLESS = "Lossless";

/** A playlist tells the rate with its container; people know the encoder's setting. */
const NOMINAL_KBIT = [32, 48, 64, 96, 128, 160, 192, 256, 320];

/** @param {{audioCodec?: string, bitrate: number, averageBitrate?: number} | undefined} level */
function qualityOf(level) {
  if (!level) return "";
  if (/flac|alac/i.test(level.audioCodec ?? "")) return LOSSLESS;
  const told = (level.averageBitrate || level.bitrate) / 1000;
  const off = (/** @type {number} */ rate) => Math.abs(rate - told);
  return `${NOMINAL_KBIT.reduce((best, rate) => (off(rate) < off(best) ? rate : best))} kbit/s`;
}

/** @param {{response?: {code: number}, details: string}} data */
function reason(data) {
  const code = data.response?.code;
  if (code === 404) return "This track's sound is not there any more.";
  if (code) return `The server answered ${code} for this track.`;
  return data.details.includes("Load") ? "The connection broke off." : "This browser cannot play this track.";
}
