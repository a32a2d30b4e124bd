// @ts-check
/** The waveform of a track when it is there, for the components that draw it. */
import { useEffect, useState } from "../app/dom.js";
import { fetchPeaks } from "../app/store.js";

/** @param {import("../types/wire").Track | null} track @param {boolean} [wanted] false: not on screen yet */
export function usePeaks(track, wanted = true) {
  const url = wanted ? track?.peaks_url : null;
  const [found, setFound] = useState(/** @type {{url: string, peaks: import("../types/wire").Peaks} | null} */ (null));
  useEffect(() => {
    if (!track || !url) return undefined;
    let current = true;
    // Without a shape there is still a line to seek on.
    fetchPeaks(track).then((peaks) => { if (current) setFound({ url, peaks }); }, () => {});
    return () => { current = false; };
  }, [url]);
  return found && found.url === url ? found.peaks : null;
}
