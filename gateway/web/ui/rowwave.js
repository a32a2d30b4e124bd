// @ts-check
/** The shape of a track in a list, filled as far as it has played. */
import { html } from "../app/dom.js";
import { duration, position } from "../app/player.js";
import { usePeaks } from "./peaks.js";
import { Waveform } from "./waveform.js";

/** @param {{track: import("../types/wire").Track, isCurrent: boolean}} props */
export function RowWaveform({ track, isCurrent }) {
  const peaks = usePeaks(track);
  const played = isCurrent && duration.value ? position.value / duration.value : 0;
  return peaks ? html`<${Waveform} peaks=${peaks} played=${played} />` : null;
}
