// @ts-check
/** The one door to the vendored view library: `html` templates, hooks, signals, and views loaded when first shown. */
import { h, render } from "../vendor/preact.js";
import { useEffect, useLayoutEffect, useMemo as vendorMemo, useRef as vendorRef, useState as vendorState } from "../vendor/hooks.js";
import { batch, computed as vendorComputed, effect, signal as vendorSignal } from "../vendor/signals.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
export { batch, effect, render, useEffect, useLayoutEffect };

/** @template T @typedef {{value: T, peek: () => T}} Signal */

/** The vendored files come without types. @type {<T>(value: T) => Signal<T>} */
export const signal = vendorSignal;
/** @type {<T>(compute: () => T) => Readonly<Signal<T>>} */
export const computed = /** @type {any} */ (vendorComputed);
/** @type {<T>(value: T) => {current: T}} */
export const useRef = vendorRef;
/** @type {<T>(compute: () => T, changing: unknown[]) => T} */
export const useMemo = vendorMemo;
/** @type {<T>(value: T | (() => T)) => [T, (value: T) => void]} */
export const useState = vendorState;

/**
 * A component whose module is fetched when it is first drawn.
 * @param {() => Promise<any>} load resolves to the component
 */
export function lazy(load) {
  /** @type {any} */
  let component = null;
  return function Lazy(/** @type {any} */ props) {
    const [failed, setFailed] = useState(false);
    const [, arrived] = useState(false);
    useEffect(() => {
      if (component) return;
      load().then((loaded) => { component = loaded; arrived(true); }, () => setFailed(true));
    }, []);
    if (component) return html`<${component} ...${props} />`;
    return failed ? html`<${Outdated} />` : null;
  };
}

/** A module that cannot be fetched means no network, or a newer release that replaced this page's files. */
function Outdated() {
  return html`<div class="notice" role="alert">
    <p>This part of the page could not be loaded.</p>
    <button type="button" class="button" onClick=${() => location.reload()}>Reload</button>
  </div>`;
}
