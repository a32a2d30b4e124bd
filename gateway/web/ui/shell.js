// @ts-check
/** The frames around the views: the shell with navigation, rooms, connection and player; the gate for those not signed in. */
import { html, lazy, signal, useEffect, useState } from "../app/dom.js";
import { rooms, unread } from "../app/rooms.js";
import { route } from "../app/router.js";
import { current } from "../app/player.js";
import { instance, isOperator, me } from "../app/store.js";
import { connection, retryNow } from "../app/ws.js";
import { Avatar, Mark, icon } from "./icon.js";
import { Toasts } from "./toast.js";

const Dock = lazy(async () => (await import("./dock.js")).Dock);

/** @param {{onSignOut: () => void, children?: any}} props */
export function Shell({ onSignOut, children }) {
  const hasDock = !!current.value;
  return html`<div class=${hasDock ? "shell has-dock" : "shell"}>
    <a class="skip-link" href="#main">Skip to content</a>
    <header class="top"><a class="brand" href="/"><${Mark} /><span>${instance.value?.name ?? "Veza"}</span></a>
      <${Account} onSignOut=${onSignOut} /></header>
    <nav class="nav" aria-label="Main">
      <${NavLink} href="/" names=${["home", "track"]} label="Tracks" art=${icon("list-music")} />
      <${NavLink} href="/rooms" names=${["rooms", "room"]} label="Rooms" art=${icon("message-square")}
        badge=${Object.values(unread.value).reduce((sum, count) => sum + count, 0)} />
      <${NavLink} href="/upload" names=${["upload"]} label="Upload" art=${icon("cloud-upload")} />
      ${isOperator.value && html`<${NavLink} href="/ops" names=${["ops"]} label="Ops" art=${icon("activity")} />`}
    </nav>
    <${RoomList} />
    <main id="main" class="main" tabindex="0"><${ConnectionBanner} />${children}</main>
    ${hasDock && html`<${Dock} />`}
    <${Toasts} />
  </div>`;
}

/** @param {{children?: any}} props */
export function Gate({ children }) {
  return html`<div class="gate">
    <header class="gate-brand"><${Mark} /><span>${instance.value?.name ?? "Veza"}</span></header>
    <main id="main" class="gate-card" tabindex="-1">${children}</main>
    <${Toasts} />
  </div>`;
}

/** @param {{href: string, names: string[], label: string, art: any, badge?: number}} props */
function NavLink({ href, names, label, art, badge = 0 }) {
  const here = names.includes(route.value.name);
  return html`<a class="nav-link" href=${href} aria-current=${here ? "page" : null}>${art}<span>${label}</span>
    ${badge > 0 && html`<${Badge} count=${badge} />`}</a>`;
}

/** @param {{count: number}} props */
export function Badge({ count }) {
  return html`<span class="badge"><span class="sr-only">, </span>${count > 99 ? "99+" : count}<span class="sr-only"> unread</span></span>`;
}

function RoomList() {
  const { data } = rooms.value;
  if (!data.length) return null;
  return html`<nav class="side-rooms" aria-label="Rooms"><h2>Rooms</h2><ul>${data.map((room) => {
    const count = unread.value[room.id] ?? 0;
    const here = route.value.name === "room" && route.value.id === room.id;
    return html`<li key=${room.id}><a class=${count ? "room-link has-unread" : "room-link"} href=${`/rooms/${room.id}`}
      aria-current=${here ? "page" : null}>${icon("hash")}<span>${room.name}</span>
      ${count > 0 && html`<${Badge} count=${count} />`}</a></li>`;
  })}</ul></nav>`;
}

const accountOpen = signal(false);

/** @param {{onSignOut: () => void}} props */
function Account({ onSignOut }) {
  const user = me.value;
  useEffect(() => {
    const close = (/** @type {Event} */ event) => {
      const inside = event.target instanceof Element && event.target.closest(".account");
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !inside) accountOpen.value = false;
    };
    for (const type of ["pointerdown", "keydown", "focusin"]) document.addEventListener(type, close);
    return () => { for (const type of ["pointerdown", "keydown", "focusin"]) document.removeEventListener(type, close); };
  }, []);
  if (!user) return null;
  return html`<div class="account">
    <button type="button" class="account-button" aria-label=${`Account: ${user.username}`} aria-expanded=${String(accountOpen.value)}
      onClick=${() => { accountOpen.value = !accountOpen.value; }}><${Avatar} id=${user.id} name=${user.username} /></button>
    ${accountOpen.value && html`<div class="account-panel">
      <p class="account-name">${user.username}</p><p class="account-mail">${user.email}</p>
      <button type="button" class="button button-quiet" onClick=${onSignOut}>${icon("log-out")} Sign out</button>
    </div>`}
  </div>`;
}

function ConnectionBanner() {
  const { state, late, retryAt, reason } = connection.value;
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!late) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [late]);
  if (!late) return null;
  if (state === "stopped") {
    return html`<div class="banner" role="alert">${icon("wifi-off")}<span>Live updates stopped. ${reason}</span>
      <button type="button" class="button button-small" onClick=${() => location.reload()}>Reload</button></div>`;
  }
  const seconds = Math.max(0, Math.ceil((retryAt - now) / 1000));
  const what = state === "waiting" && seconds ? `Connection lost. Trying again in ${seconds} s.` : "Connecting…";
  return html`<div class="banner" role="status" data-testid="connection-banner">${icon("wifi-off")}
    <span>${what}</span>
    ${state === "waiting" && html`<button type="button" class="button button-small" onClick=${retryNow}>Retry now</button>`}</div>`;
}
