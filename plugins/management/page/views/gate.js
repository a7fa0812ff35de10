/** The login. What the API refuses it with is said in words. */

import { byId, setText } from './dom.js';

export class Gate {
  #form = byId('login');

  /** logIn(user, password): throws an ApiError. */
  constructor({ logIn }) {
    this.logIn = logIn;
    byId('gate-host').textContent = location.host;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { user, password } = this.#form.elements;
      if (user.value === '') {
        setText(byId('login-error'), 'Who are you? The user’s name is missing.');
        user.focus();
        return;
      }
      this.#attempt(user.value, password.value);
    });
  }

  /** Shows the form. reason: why one has to log in again. */
  open(reason) {
    document.title = 'Log in · Warren';
    byId('gate').hidden = false;
    setText(byId('login-error'), reason);
    const { user } = this.#form.elements;
    user.focus();
  }

  close() {
    byId('gate').hidden = true;
    this.#form.elements.password.value = '';
  }

  /** With what is remembered, without a word unless it fails. */
  async tryAgain(user, password) {
    try {
      await this.logIn(user, password);
    } catch (error) {
      this.open(explain(error));
      this.#form.elements.user.value = user;
    }
  }

  async #attempt(user, password) {
    const submit = byId('log-in');
    submit.disabled = true;
    setText(byId('login-error'), '');
    try {
      await this.logIn(user, password);
    } catch (error) {
      setText(byId('login-error'), explain(error));
      this.#form.elements.password.select();
    } finally {
      submit.disabled = false;
    }
  }
}

function explain(error) {
  if (error.status === 401 && error.message === 'Login failed') {
    return 'There is no such user with this password, or the user may only log in from the broker’s own machine.';
  }
  return error.status === 401 ? `You may not look at this: ${error.message}.` : error.message;
}
