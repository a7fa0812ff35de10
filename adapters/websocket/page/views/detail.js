/** The selected message or frame: everything about it, and what can be done with it. */

import { formOf, write } from '../data/body.js';
import { button, element } from './dom.js';
import { sizeText, timeText } from './format.js';

const FORMS = { text: 'Text', json: 'JSON', hex: 'Hex' };

export class Detail {
  #place;
  #actions;

  /** actions: close(), settle(message, how), draft(message), copy(text). */
  constructor(place, actions) {
    this.#place = place;
    this.#actions = actions;
  }

  get open() {
    return !this.#place.hidden;
  }

  close() {
    this.#place.hidden = true;
    this.#place.replaceChildren();
  }

  showMessage(message) {
    const content = element('div', { class: 'content' });
    this.#writeBody(content, message.body, formOf(message.body));
    const marks = [timeText(message.time), sizeText(message.body.length)];
    this.#show(message.destination, marks, message.marks, this.#messageActions(message), message.properties, [content]);
  }

  showFrame(entry) {
    const parts = [];
    if (entry.body.length) {
      parts.push(element('div', { class: 'content' }));
      this.#writeBody(parts[0], entry.body, formOf(entry.body));
    }
    parts.push(wireBytes(entry.raw));
    const marks = [timeText(entry.time), sizeText(entry.size), entry.direction === 'in' ? 'from the broker' : 'to the broker'];
    this.#show(entry.name, marks, [], [], entry.fields(), parts);
  }

  #show(title, facts, marks, actions, rows, parts) {
    const close = button('×', { class: 'quiet', 'aria-label': 'Close' }, () => this.#actions.close());
    this.#place.replaceChildren(
      element('div', { class: 'detail-head' }, element('h2', {}, title), close),
      element('p', { class: 'marks' }, facts.join(' · '), ...marks.map((mark) => element('span', { class: 'mark' }, mark))),
      ...(actions.length ? [element('div', { class: 'actions' }, ...actions)] : []),
      ...(rows.length ? [element('dl', { class: 'facts' }, ...rows.map(factRow))] : []),
      ...parts,
    );
    this.#place.hidden = false;
    this.#place.scrollTop = 0;
  }

  #messageActions(message) {
    const settle = (text, how) => button(text, { class: 'small' }, () => this.#actions.settle(message, how));
    const settling = message.settleKey && !message.settled
      ? [settle('Ack', 'ack'), settle('Nack, requeue', 'requeue'), settle('Nack, reject', 'reject')]
      : [];
    const settled = message.settled ? [element('span', { class: 'mark' }, message.settled)] : [];
    return [...settling, ...settled, button('Use as draft', { class: 'small' }, () => this.#actions.draft(message))];
  }

  #writeBody(content, body, form) {
    if (form === 'empty') {
      content.replaceChildren(element('p', { class: 'nothing' }, 'The body is empty'));
      return;
    }
    const written = write(body, form);
    const forms = Object.keys(FORMS).filter((each) => each === form || each !== 'json' || formOf(body) === 'json');
    const choice = element('div', { class: 'choice small', role: 'radiogroup', 'aria-label': 'How the body is shown' });
    for (const each of forms) {
      const input = element('input', { type: 'radio', name: 'shown-form', value: each });
      input.checked = each === form;
      input.addEventListener('change', () => {
        this.#writeBody(content, body, each);
        content.querySelector(`input[value=${each}]`).focus();
      });
      choice.append(element('label', {}, input, element('span', {}, FORMS[each])));
    }
    const copy = button('Copy', { class: 'quiet small' }, () => this.#actions.copy(written));
    content.replaceChildren(
      element('div', { class: 'content-head' }, element('h3', {}, 'Body'), copy, choice),
      element('pre', { class: form, tabindex: '0' }, written),
    );
  }
}

function factRow([name, value]) {
  return element('div', {}, element('dt', {}, name), element('dd', {}, value));
}

function wireBytes(raw) {
  const shown = raw.length ? element('pre', { class: 'hex', tabindex: '0' }, write(raw, 'hex')) : element('p', { class: 'nothing' }, 'Not shown, as they hold the password');
  return element('div', { class: 'content' }, element('div', { class: 'content-head' }, element('h3', {}, 'Bytes on the wire')), shown);
}
