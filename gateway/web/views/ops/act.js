// @ts-check
/** What may be done to an actor: each act asks for its reason, and says afterwards what the server answered. */
import { api } from "../../app/api.js";
import { html, useState } from "../../app/dom.js";
import { Dialog } from "../../ui/dialog.js";
import { Field, FormError, useAction, values } from "../../ui/form.js";
import { icon } from "../../ui/icon.js";
import { actorUrl } from "./words.js";

/** @typedef {import("../../types/ops").Actor} Actor */
/** @typedef {{name: string, label: string, art: any, means: string}} Act */

/** @param {Actor} actor @returns {Act[]} */
function actsFor(actor) {
  const isHeld = actor.unhealthy.includes("suspended") || actor.unhealthy.includes("draining");
  // "/veza/root" stands for the node: ending it ends everything.
  const isRoot = actor.path.split("/").length <= 3;
  /** @type {Act[]} */
  const acts = [
    { name: "restart", label: "Restart", art: icon("rotate-ccw"), means: "A new instance takes its place at the same address. Messages that wait are kept." },
    isHeld
      ? { name: "resume", label: "Resume", art: icon("play"), means: "It handles what waits, and takes on new work again." }
      : { name: "suspend", label: "Suspend", art: icon("pause"), means: "It handles nothing until it is resumed. What comes meanwhile waits, up to the mailbox's limit." },
    { name: "drain", label: "Drain", art: icon("arrow-down"), means: isRoot
      ? "The whole node takes on nothing new, ends what there is, and stops."
      : "It takes on nothing new, and ends what there is." },
    { name: "stop", label: "Stop", art: icon("square"), means: "It ends in order, behind the messages that wait. A permanent actor is started again by its supervisor." },
    { name: "kill", label: "Kill", art: icon("skull"), means: "It ends at once, in the middle of what it does. For what does not stop otherwise." },
  ];
  // A suspended supervisor would mend nothing any more: the server refuses.
  return actor.supervision ? acts.filter(({ name }) => name !== "suspend") : acts;
}

/** @param {{actor: Actor, onDone: () => void, children?: any}} props */
export function Actions({ actor, onDone, children }) {
  const [chosen, setChosen] = useState(/** @type {Act | null} */ (null));
  const [told, setTold] = useState("");
  const done = (/** @type {Act} */ act, /** @type {{note: string, is_audited: boolean}} */ answer) => {
    setTold(`${act.label}: ${answer.note || "done"}${answer.is_audited ? "" : " It could not be written to the audit log, only to the node's log."}`);
    onDone();
  };
  const button = (/** @type {Act} */ act) => html`<button type="button" key=${act.name}
    class=${act.name === "kill" ? "ops-tool ops-danger" : "ops-tool"} onClick=${() => setChosen(act)}>${act.art}<span>${act.label}</span></button>`;
  const acts = actsFor(actor).map(button);
  return html`<div class="ops-acts" role="group" aria-label="Actions">${acts.slice(0, -1)}${children}${acts.at(-1)}</div>
    <p class="ops-told" role="status">${told}</p>
    ${chosen && html`<${Reason} title=${`${chosen.label} ${actor.name}?`} means=${chosen.means} label=${chosen.label}
      isHarsh=${chosen.name === "kill"} onClose=${() => setChosen(null)}
      act=${async (/** @type {string} */ reason) => {
        done(chosen, await api("POST", `${actorUrl(actor.path)}/${chosen.name}`, { reason }));
        return true;
      }} />`}`;
}

/**
 * Asks why, then acts; an error stays in the dialog, and so does what was typed.
 * @param {{title: string, means: string, label: string, act: (reason: string, fields: Record<string, any>) => Promise<any>,
 *   onClose: () => void, isHarsh?: boolean, children?: any}} props
 */
export function Reason({ title, means, label, act, onClose, isHarsh = false, children }) {
  const { busy, error, run } = useAction();
  const submit = async (/** @type {Event} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const { reason, ...fields } = values(event);
    // Closing the native dialog gives the focus back to where it was.
    if (await run(() => act(String(reason).trim(), fields))) form.closest("dialog")?.close();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${submit} class="form">
      <p>${means}</p>
      ${children}
      <${Field} label="Reason" name="reason" error=${error} hint="Kept in the audit log with your name." required maxlength="500"
        pattern=".*\\S.*" autocomplete="off" autofocus />
      <${FormError} error=${error} fields=${["reason"]} />
      <div class="ops-answer">
        <button type="button" class="button button-quiet" onClick=${(/** @type {any} */ event) => event.currentTarget.closest("dialog").close()}>Cancel</button>
        <button class=${isHarsh ? "button ops-harsh" : "button button-primary"} disabled=${busy}>${label}</button>
      </div>
    </form>
  <//>`;
}
