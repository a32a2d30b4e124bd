// @ts-check
/** Style sheets that only some views need, fetched when they do. */
import { useEffect, useState } from "../../app/dom.js";

/** @type {Map<string, Promise<unknown>>} */
const sheets = new Map();

/** Links a style sheet; resolves once it holds. @param {string} url */
export function addSheet(url) {
  let found = sheets.get(url);
  if (!found) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = url;
    // Without its style a page is ugly, but it is there: a sheet that cannot be fetched holds nothing up.
    found = new Promise((resolve) => { link.onload = link.onerror = resolve; });
    document.head.append(link);
    sheets.set(url, found);
  }
  return found;
}

/** True once the sheet holds. @param {string} url */
export function useSheet(url) {
  const [isThere, setThere] = useState(false);
  useEffect(() => { addSheet(url).then(() => setThere(true)); }, []);
  return isThere;
}
