// @ts-check
/** The address bar is the truth: every view has a URL, links are plain links, Back returns to the same place on the page. */
import { signal } from "./dom.js";

/** @typedef {{name: string, id: string, path: string, query: URLSearchParams}} Route */

/** @type {[RegExp, string][]} */
const ROUTES = [
  [/^\/$/, "home"],
  [/^\/tracks\/([\w-]+)$/, "track"],
  [/^\/upload$/, "upload"],
  [/^\/rooms$/, "rooms"],
  [/^\/rooms\/([\w-]+)$/, "room"],
  [/^\/sign-in$/, "sign-in"],
  [/^\/setup$/, "setup"],
  [/^\/ops$/, "ops"],
  [/^\/ops\/((?:actors|crashes)\/.+|dead-letters|crashes|connections|audit)$/, "ops"],
];

/** @returns {Route} */
function match() {
  for (const [pattern, name] of ROUTES) {
    const found = pattern.exec(location.pathname);
    if (found) return { name, id: found[1] ?? "", path: location.pathname, query: new URLSearchParams(location.search) };
  }
  return { name: "missing", id: "", path: location.pathname, query: new URLSearchParams() };
}

export const route = signal(match());

/** Where each entry of the history was scrolled to, by the key in its state. @type {Map<number, number>} */
const scrolls = new Map();
let entry = 0;

const scroller = () => document.getElementById("main");

/** @param {string} path @param {{replace?: boolean, stay?: boolean}} [options] stay: the page is not scrolled to its top */
export function navigate(path, { replace = false, stay = false } = {}) {
  scrolls.set(entry, scroller()?.scrollTop ?? 0);
  if (!replace) entry = Date.now();
  history[replace ? "replaceState" : "pushState"]({ entry }, "", path);
  show(stay ? scroller()?.scrollTop ?? 0 : 0);
}

/** @param {number} scrollTop */
function show(scrollTop) {
  route.value = match();
  requestAnimationFrame(() => scroller()?.scrollTo({ top: scrollTop, behavior: "instant" }));
}

addEventListener("popstate", (event) => {
  scrolls.set(entry, scroller()?.scrollTop ?? 0);
  entry = event.state?.entry ?? 0;
  show(scrolls.get(entry) ?? 0);
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || link.target || link.origin !== location.origin) return;
  if (!ROUTES.some(([pattern]) => pattern.test(link.pathname)) || link.hash) return;
  event.preventDefault();
  const path = link.pathname + link.search;
  navigate(path, { replace: path === location.pathname + location.search });
});
