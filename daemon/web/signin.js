/* Signing in: by the token, or by a one-time code that a QR code brought in the address's fragment (which never
 * reaches a server). */
import { api, el, symbol, text } from './common.js';

/* #code=...: takes it out of the address, and signs in with it. True if that worked. */
export async function signInByCode() {
  const code = /^#code=(.+)$/.exec(location.hash)?.[1];
  if (!code) return false;
  history.replaceState(null, '', location.pathname);
  try {
    await api('session', { json: { code: decodeURIComponent(code) } });
    return true;
  } catch (e) {
    problem = e.status === 401 ? text('signin.code') : e.message;
    if (dialog) dialog.querySelector('.problem').textContent = problem;
    return false;
  }
}

let dialog = null;
let problem = '';

export function startSignIn() {
  document.addEventListener('earshot:signin', () => {
    if (!dialog) open();
  });
}

function open() {
  const field = el('input', {
    type: 'password',
    id: 'token',
    required: true,
    autocomplete: 'current-password',
    'aria-describedby': 'signin-problem',
  });
  const note = el('p', { class: 'problem', id: 'signin-problem', role: 'alert' }, problem);
  const submit = el('button', { class: 'big' }, symbol('lock'), text('signin.do'));
  const form = el(
    'form',
    {
      onsubmit: async (event) => {
        event.preventDefault();
        submit.disabled = true;
        try {
          await api('session', { json: { token: field.value.trim() } });
          location.reload();
        } catch (e) {
          note.textContent = e.message;
          submit.disabled = false;
          field.select();
        }
      },
    },
    el('label', { for: 'token' }, text('signin.token')),
    field,
    note,
    submit,
  );
  dialog = el(
    'dialog',
    {
      class: 'signin',
      'aria-labelledby': 'h-signin',
      onclose: () => {
        dialog.remove(); /* asked for again at the next request that is refused */
        dialog = null;
      },
    },
    el('h2', { id: 'h-signin' }, text('signin.title')),
    el('p', {}, text('signin.why')),
    form,
    el('p', { class: 'note' }, text('signin.phone')),
  );
  document.body.append(dialog);
  dialog.showModal();
  field.focus();
}
