/** Names and values beside each other; only what has changed is written anew. */

import { element } from './dom.js';

export class Facts {
  place = element('dl', { class: 'facts' });
  #rows = new Map();

  constructor(attributes = {}) {
    for (const [name, value] of Object.entries(attributes)) {
      this.place.setAttribute(name, value);
    }
  }

  /** facts: [name, text or element or null][]; null leaves it out. */
  show(facts) {
    const names = new Set();
    for (const [name, value] of facts) {
      if (value === null || value === undefined || value === '') {
        continue;
      }
      names.add(name);
      this.#put(name, value);
    }
    for (const [name, row] of this.#rows) {
      if (!names.has(name)) {
        row.whole.remove();
        this.#rows.delete(name);
      }
    }
  }

  #put(name, value) {
    const signature = typeof value === 'string' ? value : value.outerHTML ?? String(value);
    const known = this.#rows.get(name);
    if (known?.signature === signature) {
      return;
    }
    const content = element('dd', {}, typeof value === 'object' ? value : String(value));
    if (known) {
      known.content.replaceWith(content);
      known.content = content;
      known.signature = signature;
      return;
    }
    const whole = element('div', {}, element('dt', {}, name), content);
    this.place.append(whole);
    this.#rows.set(name, { whole, content, signature });
  }
}

/** A table of arguments or headers as a list; nothing in words. */
export function argumentList(table, nothing = 'none') {
  const entries = Object.entries(table ?? {});
  if (!entries.length) {
    return element('span', { class: 'muted' }, nothing);
  }
  const rows = entries.map(([name, value]) =>
    element('div', {}, element('dt', {}, name), element('dd', {}, valueText(value))),
  );
  return element('dl', { class: 'arguments' }, ...rows);
}

/** A value of an argument as text. */
export function valueText(value) {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
