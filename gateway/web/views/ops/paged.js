// @ts-check
/** Lists that the server gives page by page. */
import { api } from "../../app/api.js";
import { html, useEffect, useRef, useState } from "../../app/dom.js";
import { icon } from "../../ui/icon.js";
import { Failure, Skeleton } from "../../ui/state.js";

/** @typedef {{data: any[], next: string | null, total: number, status: "loading" | "ready" | "error", error: any}} Pages */

/** @param {string} path of the list @returns {{pages: Pages, load: (more?: boolean) => Promise<void>}} */
export function usePages(path) {
  const [pages, setPages] = useState(/** @type {Pages} */ ({ data: [], next: null, total: 0, status: "loading", error: null }));
  const latest = useRef(0);
  const load = async (more = false) => {
    const turn = ++latest.current;
    setPages({ ...pages, status: "loading", error: null });
    try {
      const cursor = more && pages.next ? `&cursor=${encodeURIComponent(pages.next)}` : "";
      const page = await api("GET", `${path}?limit=50${cursor}`);
      if (turn !== latest.current) return;
      const data = more ? [...pages.data, ...page.data] : page.data;
      setPages({ data, next: page.next_cursor, total: page.total ?? data.length, status: "ready", error: null });
    } catch (error) {
      if (turn === latest.current) setPages({ ...pages, status: "error", error });
    }
  };
  useEffect(() => {
    load();
    return () => { latest.current += 1; };
  }, []);
  return { pages, load };
}

/** @param {{title: string, pages: Pages, load: (more?: boolean) => Promise<void>, note?: any, none: string, tools?: any, children?: any}} props */
export function Paged({ title, pages, load, note = "", none, tools = null, children }) {
  const { data, next, status, error } = pages;
  return html`<header class="ops-list-head"><h2>${title}</h2><p class="ops-of">${note}</p>
      <button type="button" class="ops-tool" disabled=${status === "loading"} onClick=${() => load()}>${icon("refresh-cw")}<span>Refresh</span></button>${tools}</header>
    ${status === "error" && html`<${Failure} what=${`${title} could not be loaded.`} error=${error} onRetry=${() => load()} />`}
    ${!data.length && status === "loading" && html`<${Skeleton} rows=${5} />`}
    ${!data.length && status === "ready" && html`<p class="ops-none">${none}</p>`}
    ${data.length > 0 && children}
    ${next && html`<button type="button" class="button button-quiet more" disabled=${status === "loading"} onClick=${() => load(true)}>Show more</button>`}`;
}
