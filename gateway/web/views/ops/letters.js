// @ts-check
/** Dead letters: messages that no handler saw, to be sent again or forgotten. */
import { api } from "../../app/api.js";
import { html, useState } from "../../app/dom.js";
import { icon } from "../../ui/icon.js";
import { useTitle } from "../../ui/state.js";
import { Reason } from "./act.js";
import { node } from "./live.js";
import { Paged, usePages } from "./paged.js";
import { ActorLink, When, count } from "./words.js";

/** @typedef {import("../../types/ops").DeadLetter} DeadLetter */
/** @typedef {{title: string, label: string, means: string, path: string, isHarsh: boolean, told: (count: number) => string}} Act */

/** @param {DeadLetter} letter @returns {Act} */
const replaying = ({ letter_id: id, type, target }) => ({
  title: `Replay ${type}?`, label: "Replay", path: `/ops/dead-letters/${id}/replay`, isHarsh: false,
  means: `The message is sent to ${target} again. What it asks for may happen a second time.`, told: () => `${type} was sent again.`,
});

/** @param {DeadLetter} letter @returns {Act} */
const discarding = ({ letter_id: id, type }) => ({
  title: `Discard ${type}?`, label: "Discard", path: `/ops/dead-letters/${id}/discard`, isHarsh: true,
  means: "The message is forgotten for good.", told: () => `${type} was discarded.`,
});

/** @type {Act} */
const DISCARDING_ALL = {
  title: "Discard all dead letters?", label: "Discard all", path: "/ops/dead-letters/discard", isHarsh: true,
  means: "All messages that are kept are forgotten for good.", told: (settled) => `${count(settled)} dead letters were discarded.`,
};

export function DeadLetters() {
  useTitle("Dead letters · Ops");
  const { pages, load } = usePages("/ops/dead-letters");
  const [act, setAct] = useState(/** @type {Act | null} */ (null));
  const [told, setTold] = useState("");
  const fresh = pages.status === "ready" ? (node.value?.dead_letters ?? 0) - pages.total : 0;
  const settle = async (/** @type {string} */ reason) => {
    if (!act) return false;
    const answer = await api("POST", act.path, { reason });
    setTold(act.told(answer.count) + (answer.is_audited ? "" : " It could not be written to the audit log, only to the node's log."));
    load();
    return true;
  };
  const tools = pages.data.length > 0 && html`<button type="button" class="ops-tool" onClick=${() => setAct(DISCARDING_ALL)}>${icon("trash")}<span>Discard all</span></button>`;
  return html`<${Paged} title="Dead letters" pages=${pages} load=${load} none="No message went unseen." tools=${tools}
      note=${html`${count(pages.total)} since the node's start${fresh > 0 ? `, ${count(fresh)} new` : ""}`}>
      <ul class="ops-cards" aria-label="Dead letters">${pages.data.map((letter) => html`<${Letter} key=${letter.letter_id} letter=${letter} onAct=${setAct} />`)}</ul><//>
    <p class="ops-told" role="status">${told}</p>
    ${act && html`<${Reason} ...${act} act=${settle} onClose=${() => setAct(null)} />`}`;
}

/** @param {{letter: DeadLetter, onAct: (act: Act) => void}} props */
function Letter({ letter, onAct }) {
  const { at, target, sender, type, reason, request_id: request, body, can_replay: canReplay } = letter;
  return html`<li class="ops-card">
    <div class="ops-card-text"><p><strong>${type}</strong> <span class="ops-of"><${When} at=${at} /></span></p>
      <p>to <${ActorLink} path=${target} />${sender && html`<span class="ops-of"> from ${sender}</span>`}</p>
      <p>${reason}${request && html`<span class="ops-of"> · request <code>${request}</code></span>`}</p>
      ${body && html`<details class="ops-fold"><summary>Message</summary><pre class="ops-body" tabindex="0">${body}</pre></details>`}</div>
    <div class="ops-card-acts">
      <button type="button" class="ops-tool" disabled=${!canReplay} aria-label=${`Replay ${type}`} title=${canReplay ? null : "Its receiver is gone for good"}
        onClick=${() => onAct(replaying(letter))}>${icon("rotate-ccw")}<span>Replay</span></button>
      <button type="button" class="ops-tool" aria-label=${`Discard ${type}`} onClick=${() => onAct(discarding(letter))}>${icon("trash")}<span>Discard</span></button>
    </div></li>`;
}
