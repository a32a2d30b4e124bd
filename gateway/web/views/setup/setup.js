// @ts-check
/** The first administrator, made with the one-time link that the server printed: `/setup#TOKEN`. */
import { api } from "../../app/api.js";
import { html, useState } from "../../app/dom.js";
import { navigate } from "../../app/router.js";
import { identify, instance } from "../../app/store.js";
import { Field, FormError, useAction, values } from "../../ui/form.js";
import { Gate } from "../../ui/shell.js";
import { useTitle } from "../../ui/state.js";

export function Setup() {
  useTitle("Set up");
  const [token] = useState(takeToken);
  const { busy, error, run } = useAction();
  const submit = (/** @type {Event} */ event) => {
    const { username, email, password } = values(event);
    run(async () => {
      await api("POST", "/setup", { token, username, email, password });
      await identify();
      navigate("/", { replace: true });
    });
  };
  return html`<${Gate}>
    <h1>Set up ${instance.value?.name ?? "Veza"}</h1>
    ${token ? html`<p class="gate-lead">This account can do everything here. You can invite others afterwards.</p>
    <form class="form" onSubmit=${submit}>
      <${Field} label="Username" name="username" error=${error} required autocomplete="username" autocapitalize="none" spellcheck="false" />
      <${Field} label="Email" name="email" error=${error} type="email" required autocomplete="email" />
      <${Field} label="Password" name="password" error=${error} type="password" required autocomplete="new-password" />
      <${FormError} error=${error} fields=${["username", "email", "password"]} />
      <button class="button button-primary button-large" disabled=${busy}>Create administrator</button>
    </form>` : html`<p class="gate-lead">This page needs the whole link that the server printed when it started.
      It works once and for an hour; a server without an administrator prints another when it is started again.</p>`}
  <//>`;
}

/** The token leaves the address bar at once, so that it stays out of the history and of screenshots. */
function takeToken() {
  const token = location.hash.slice(1);
  if (token) history.replaceState(history.state, "", location.pathname);
  return token;
}
