/** The form for the connection. */

import { PROTOCOLS } from '../protocol/protocols.js';
import { byId } from './dom.js';

export class ConnectionForm {
  #form = byId('connection');
  #fields = byId('connection-fields');

  /** actions: connect(options), disconnect(), protocol(name), changed(). */
  constructor(actions) {
    this.actions = actions;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#fields.disabled) {
        actions.disconnect();
      } else {
        actions.connect(this.options());
      }
    });
    this.#form.addEventListener('change', ({ target }) => {
      if (target.name === 'protocol') {
        this.#form.elements.intervalS.value = PROTOCOLS[target.value].intervalS;
        actions.protocol(target.value);
      }
      actions.changed();
    });
  }

  get protocol() {
    return this.#form.elements.protocol.value;
  }

  get reconnects() {
    return this.#form.elements.reconnects.checked;
  }

  /** What is typed, password included. */
  options() {
    const { url, user, password, vhost, clientId, intervalS, sessionExpiryS } = this.#form.elements;
    return {
      protocol: this.protocol,
      url: url.value.trim(),
      user: user.value,
      password: password.value,
      vhost: vhost.value.trim(),
      clientId: clientId.value.trim(),
      intervalS: Number(intervalS.value) || 0,
      sessionExpiryS: Number(sessionExpiryS.value) || 0,
    };
  }

  /** Fills in what is given of `options`. */
  fill(options) {
    for (const [name, value] of Object.entries(options)) {
      const field = this.#form.elements[name];
      if (field instanceof HTMLInputElement && field.type === 'checkbox') {
        field.checked = Boolean(value);
      } else if (field && name !== 'password') {
        field.value = value;
      }
    }
  }

  /** Shows what a session's state allows. */
  draw(state) {
    const busy = state !== 'offline';
    this.#fields.disabled = busy;
    const submit = byId('connect');
    submit.textContent = { offline: 'Connect', online: 'Disconnect' }[state] ?? 'Cancel';
    submit.classList.toggle('primary', !busy);
    const { user, url } = this.options();
    byId('connection-note').textContent = busy ? `${user || 'nobody'} at ${hostOf(url)}` : '';
  }
}

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}
