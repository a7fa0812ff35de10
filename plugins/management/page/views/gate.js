/** The login: with a name and password, or at an issuer of tokens. What it is refused with is said in words. */

import { byId, setText } from './dom.js';

export class Gate {
  #form = byId('login');

  /** logIn(login): throws an ApiError. goToIssuer(): leaves the page, or throws. */
  constructor({ logIn, goToIssuer }) {
    this.logIn = logIn;
    byId('log-in-elsewhere').addEventListener('click', () => this.#during(byId('log-in-elsewhere'), goToIssuer));
    byId('gate-host').textContent = location.host;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { user, password } = this.#form.elements;
      if (user.value === '') {
        setText(byId('login-error'), 'Who are you? The user’s name is missing.');
        user.focus();
        return;
      }
      const attempt = async () => {
        await this.logIn({ user: user.value, password: password.value });
        password.value = '';
      };
      this.#during(byId('log-in'), attempt, () => password.select());
    });
  }

  /** host: of the issuer, or null. passwords: whether names and passwords are taken. */
  offer({ host, passwords }) {
    byId('elsewhere').hidden = host === null;
    byId('passwords').hidden = !passwords && host !== null;
    byId('or').hidden = byId('passwords').hidden;
    setText(byId('log-in-elsewhere'), `Log in at ${host}`);
  }

  /** Shows the form. reason: why one has to log in again. */
  open(reason) {
    document.title = 'Log in · Warren';
    byId('gate').hidden = false;
    setText(byId('login-error'), reason);
    (byId('passwords').hidden ? byId('log-in-elsewhere') : this.#form.elements.user).focus();
  }

  close() {
    byId('gate').hidden = true;
    this.#form.elements.password.value = '';
  }

  /** With what is remembered, without a word unless it fails. */
  async tryAgain(login) {
    try {
      await this.logIn(login);
    } catch (error) {
      this.open(explain(error, login.token !== undefined));
      this.#form.elements.user.value = login.user ?? '';
    }
  }

  /** While a button's work is done, it can't be pressed again. */
  async #during(button, work, failed = () => {}) {
    button.disabled = true;
    setText(byId('login-error'), '');
    try {
      await work();
    } catch (error) {
      setText(byId('login-error'), explain(error));
      failed();
    } finally {
      button.disabled = false;
    }
  }
}

function explain(error, byToken = false) {
  if (error.status === 401 && error.message === 'Login failed') {
    return byToken ? 'The broker doesn’t take this token: it has expired, or isn’t for this broker.' : 'There is no such user with this password, or the user may only log in from the broker’s own machine.';
  }
  return error.status === 401 ? `You may not look at this: ${error.message}.` : error.message;
}
