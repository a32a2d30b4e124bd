// @ts-check
/** Signing in, or making an account where this place lets people in. */
import { api, ApiError } from "../../app/api.js";
import { html, useState } from "../../app/dom.js";
import { navigate, route } from "../../app/router.js";
import { identify, instance } from "../../app/store.js";
import { Field, FormError, useAction, values } from "../../ui/form.js";
import { Gate } from "../../ui/shell.js";
import { useTitle } from "../../ui/state.js";

export function SignIn() {
  const open = instance.value?.registration === "open";
  const [creating, setCreating] = useState(open && route.value.query.has("register"));
  useTitle(creating ? "Create account" : "Sign in");
  return html`<${Gate}>
    <h1>${creating ? "Create your account" : "Sign in"}</h1>
    ${creating ? html`<${Register} />` : html`<${Login} />`}
    ${open && html`<p class="gate-switch">${creating ? "Already have an account?" : "New here?"}${" "}
      <button type="button" class="link-button" onClick=${() => setCreating(!creating)}>
        ${creating ? "Sign in instead" : "Create an account"}</button></p>`}
    ${!open && html`<p class="gate-switch">New accounts are made by whoever runs this place.</p>`}
  <//>`;
}

/** The cookie is set; who we are now comes from the server. */
async function entered() {
  await identify();
  if (route.value.name === "sign-in") navigate("/", { replace: true });
}

function Login() {
  const { busy, error, run } = useAction();
  const [wantsCode, setWantsCode] = useState(false);
  const submit = (/** @type {Event} */ event) => {
    const { login, password, totp } = values(event);
    run(async () => {
      try {
        await api("POST", "/auth/login", { login, password, ...(totp && { totp }) });
      } catch (error) {
        // Nothing is wrong yet: this account has a second factor, which is asked for from now on.
        if (!(error instanceof ApiError && error.code === "totp_required")) throw error;
        setWantsCode(true);
        return;
      }
      await entered();
    });
  };
  return html`<form class="form" onSubmit=${submit}>
    <${Field} label="Username or email" name="login" error=${error} required autocomplete="username" autocapitalize="none" spellcheck="false" />
    <${Field} label="Password" name="password" error=${error} type="password" required autocomplete="current-password" />
    ${wantsCode && html`<${Field} label="Code" name="totp" error=${error} required autofocus autocomplete="one-time-code" autocapitalize="characters" spellcheck="false"
      hint="From your app, or one of your recovery codes." />`}
    <${FormError} error=${error} fields=${["login", "password", "totp"]} />
    <button class="button button-primary button-large" disabled=${busy}>Sign in</button>
  </form>`;
}

function Register() {
  const { busy, error, run } = useAction();
  const submit = (/** @type {Event} */ event) => {
    const { username, email, password } = values(event);
    run(async () => {
      await api("POST", "/auth/register", { username, email, password });
      await entered();
    });
  };
  return html`<form class="form" onSubmit=${submit}>
    <${Field} label="Username" name="username" error=${error} required autocomplete="username" autocapitalize="none" spellcheck="false" />
    <${Field} label="Email" name="email" error=${error} type="email" required autocomplete="email" />
    <${Field} label="Password" name="password" error=${error} type="password" required autocomplete="new-password" />
    <${FormError} error=${error} fields=${["username", "email", "password"]} />
    <button class="button button-primary button-large" disabled=${busy}>Create account</button>
  </form>`;
}
