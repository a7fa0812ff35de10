/** The form for publishing. */

import { encodeText, parseHex } from '../data/bytes.js';
import { draftOf } from '../data/body.js';
import { PROTOCOLS } from '../protocol/protocols.js';
import { byId } from './dom.js';

export class PublishForm {
  #form = byId('publish');
  #result = byId('publish-result');
  #last = null;

  /** actions: publish(message), a promise of a line about it; changed(). */
  constructor(actions) {
    this.actions = actions;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#publishTyped();
    });
    this.#form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.#form.requestSubmit();
      }
    });
    this.#form.addEventListener('change', () => actions.changed());
    byId('repeat').addEventListener('click', () => this.repeat());
  }

  get destination() {
    return this.#form.elements.destination.value;
  }

  setProtocol(protocol) {
    const { family, publishExample } = PROTOCOLS[protocol];
    byId('publish-label').textContent = family === 'stomp' ? 'Destination' : 'Topic';
    byId('reply-label').textContent = family === 'stomp' ? 'Reply to' : 'Response topic';
    byId('headers-label').textContent = family === 'stomp' ? 'Headers, one a line' : 'User properties, one a line';
    this.#form.elements.destination.placeholder = publishExample;
    this.protocol = protocol;
    this.#last = null;
    byId('repeat').disabled = true;
    this.#say('', true);
  }

  fill(values) {
    for (const [name, value] of Object.entries(values)) {
      this.#form.elements[name].value = value;
    }
  }

  focus() {
    byId('publish-card').open = true;
    this.#form.elements.destination.focus();
  }

  /** Takes a received message as what is to be published next. */
  draft(message) {
    this.fill({ destination: message.destination, ...draftOf(message.body), contentType: message.contentType });
    this.focus();
  }

  /** What was published last, again. */
  repeat() {
    if (this.#last) {
      this.#publish(this.#last);
    }
  }

  #publishTyped() {
    let message;
    try {
      message = this.#typed();
    } catch (error) {
      this.#say(error.message, false);
      return;
    }
    this.#publish(message);
  }

  async #publish(message) {
    try {
      const answer = await this.actions.publish(message);
      this.#last = message;
      byId('repeat').disabled = false;
      this.#say(answer, true);
    } catch (error) {
      this.#say(error.message, false);
    }
  }

  #say(text, ok) {
    this.#result.dataset.ok = String(ok);
    this.#result.textContent = text;
  }

  /** What is typed, as both clients take it. Throws Error where it can't be. */
  #typed() {
    const { destination, body, form, persistent, receipt, qos, retain, contentType, expiresS, replyTo, correlation, headers } =
      this.#form.elements;
    return {
      destination: destination.value.trim(),
      body: form.value === 'hex' ? parseHex(body.value) : encodeText(body.value),
      persistent: persistent.checked,
      receipt: receipt.checked,
      qos: Number(qos.value),
      retain: retain.checked,
      contentType: contentType.value.trim(),
      expiresS: Number(expiresS.value) || 0,
      replyTo: replyTo.value.trim(),
      correlation: correlation.value,
      headers: parseHeaders(headers.value),
    };
  }
}

/** Lines “name: value” as [name, value]. */
function parseHeaders(text) {
  const lines = text.split('\n').filter((line) => line.trim());
  return lines.map((line) => {
    const colon = line.indexOf(':');
    if (colon < 1) {
      throw new Error(`“${line.trim()}” is no header: write it as “name: value”`);
    }
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
}
