// @ts-check
/** Starts the page: who is signed in decides between the gate and the shell, the address decides the view. */
import { api, whenUnauthorized } from "./api.js";
import { effect, html, lazy, render, useEffect, useRef } from "./dom.js";
import { pause, playing, restore } from "./player.js";
import { loadRooms } from "./rooms.js";
import { navigate, route } from "./router.js";
import { forget, identify, me, startError } from "./store.js";
import { connect, disconnect, on } from "./ws.js";
import { Shell } from "../ui/shell.js";
import { tellError } from "../ui/toast.js";

/** @type {Record<string, any>} */
const VIEWS = {
  home: lazy(async () => (await import("../views/home/home.js")).Home),
  track: lazy(async () => (await import("../views/track/track.js")).TrackPage),
  upload: lazy(async () => (await import("../views/upload/upload.js")).Upload),
  rooms: lazy(async () => (await import("../views/rooms/rooms.js")).Rooms),
  room: lazy(async () => (await import("../views/room/room.js")).RoomPage),
  ops: lazy(async () => (await import("../views/ops/ops.js")).Ops),
  missing: Missing,
};
const SignIn = lazy(async () => (await import("../views/sign-in/sign-in.js")).SignIn);
const Setup = lazy(async () => (await import("../views/setup/setup.js")).Setup);

function App() {
  if (startError.value) return html`<${NotStarted} error=${startError.value} />`;
  if (me.value === undefined) return null;
  const { name } = route.value;
  if (name === "setup") return html`<${Setup} />`;
  if (me.value === null) return html`<${SignIn} />`;
  return html`<${Shell} onSignOut=${signOut}><${View} name=${name in VIEWS ? name : "home"} /><//>`;
}

/** @param {{name: string}} props */
function View({ name }) {
  const { path } = route.value;
  const first = useRef(true);
  useEffect(() => {
    // A new page starts at its top for the keyboard and the screen reader too; the first one starts by itself.
    const main = document.getElementById("main");
    if (!first.current && !main?.contains(document.activeElement)) main?.focus({ preventScroll: true });
    first.current = false;
  }, [path]);
  return html`<${VIEWS[name]} />`;
}

function Missing() {
  return html`<div class="page"><h1>There is nothing here</h1>
    <p>The address may be mistyped, or what stood here is gone.</p><a class="button" href="/">To the tracks</a></div>`;
}

/** @param {{error: Error}} props */
function NotStarted({ error }) {
  return html`<main class="gate"><div class="gate-card" role="alert"><h1>Not connected</h1><p>${error.message}</p>
    <button type="button" class="button button-primary" onClick=${identify}>Retry</button></div></main>`;
}

async function signOut() {
  try {
    await api("POST", "/auth/logout");
  } catch (error) {
    if (/** @type {any} */ (error).status !== 401) {
      tellError(error);
      return;
    }
  }
  forget();
  me.value = null;
  navigate("/sign-in");
}

// A session that ended elsewhere keeps the page as it is: signing in again finds the same place and the same drafts.
whenUnauthorized(() => { if (me.value) me.value = null; });
on("stopped", ({ d }) => { if (d.code === 4500 || d.code === 4506) identify(); });

let connectedAs = "";
let lastUser = "";

/** @param {string} id of the user; empty for nobody */
function becomes(id) {
  if (id === connectedAs) return;
  connectedAs = id;
  if (!id) {
    disconnect();
    if (playing.value) pause();
    return;
  }
  if (lastUser && lastUser !== id) forget();
  lastUser = id;
  connect();
  loadRooms();
  restore();
}

effect(() => {
  const id = me.value?.id ?? "";
  // Signals read while starting up are not what this effect is about.
  queueMicrotask(() => becomes(id));
});

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
identify();
