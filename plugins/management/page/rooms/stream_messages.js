/** Looking at a stream: from its first message, its newest ones, an offset, a time or an age on, forth and back. */

import { path } from '../data/paths.js';
import { countText, momentText } from '../data/units.js';
import { button, card, element } from '../views/dom.js';
import { makeField } from '../views/fields.js';
import { messageView } from '../views/message_view.js';

/** Of a body; who wants all of a long one consumes it. */
const BODY_BYTES = 64 * 1024;

const SHOWN = 20;

const PLACES = [
  ['newest', 'the newest messages'],
  ['first', 'the oldest message'],
  ['last', 'the last chunk'],
  ['offset', 'an offset'],
  ['time', 'a time'],
  ['age', 'so long ago'],
];

const BODIES = [
  ['', 'as they read best'],
  ['text', 'text'],
  ['json', 'JSON'],
  ['hex', 'hexadecimal'],
];

/** What those places need beside themselves. */
const DETAILS = {
  offset: { name: 'offset', label: 'Offset', kind: 'number', min: 0, value: 0 },
  time: { name: 'time', label: 'Time', kind: 'moment', step: 1 },
  age: { name: 'age', label: 'How long', value: '1h', placeholder: '30m, 2D' },
};

export class StreamBrowser {
  #items = [];
  #next = 0;
  #first = 0;
  #from = makeField({ name: 'from', label: 'From', kind: 'select', options: PLACES });
  #bodies = makeField({ name: 'bodies', label: 'Bodies', kind: 'select', options: BODIES });
  #details = Object.fromEntries(Object.entries(DETAILS).map(([name, description]) => [name, makeField(description)]));
  #earlier = button('Earlier', { class: 'small' }, () => this.#look({ before: this.#items[0]?.offset ?? this.#next }));
  #later = button('Later', { class: 'small' }, () => this.#look({ from: this.#next }));
  #where = element('p', { class: 'hint', 'aria-live': 'polite' });
  #error = element('p', { class: 'form-error', role: 'alert' });
  #list = element('div', { class: 'messages' });

  constructor(room, vhost, name) {
    Object.assign(this, { room, address: path`/queues/${vhost}/${name}/stream` });
    this.#earlier.disabled = true;
    this.#later.disabled = true;
    const show = button('Show', { class: 'primary', id: 'browse' }, () => this.#begin());
    const details = Object.values(this.#details).map((field) => field.place);
    const bar = element('div', { class: 'line wrap ends' }, this.#from.place, ...details, this.#bodies.place, show, this.#earlier, this.#later);
    this.#from.control.addEventListener('change', () => this.#fit());
    this.#bodies.control.addEventListener('change', () => this.#draw());
    this.#fit();
    this.place = card('Read', { note: 'nothing is taken out' }, bar, this.#where, this.#error, this.#list);
  }

  /** Only the field that the place needs is there. */
  #fit() {
    for (const [name, field] of Object.entries(this.#details)) {
      field.place.hidden = name !== this.#from.read();
    }
  }

  #begin() {
    const place = this.#from.read();
    const moment = Date.parse(this.#details.time.read());
    if (place === 'time' && Number.isNaN(moment)) {
      this.#error.textContent = 'Say which time.';
      return;
    }
    const asked = {
      newest: { before: 'end' },
      offset: { from: this.#details.offset.read() ?? 0 },
      time: { from: `timestamp=${Math.floor(moment / 1000)}` },
      age: { from: this.#details.age.read().trim() },
    };
    this.#look(asked[place] ?? { from: place });
  }

  async #look(where) {
    this.#error.textContent = '';
    try {
      const part = await this.room.api.get(this.address, { ...where, count: SHOWN, truncate: BODY_BYTES });
      this.#items = part.items;
      this.#next = part.next_offset;
      this.#first = part.first_offset;
      this.#where.textContent = extent(part);
      this.#draw();
      this.#earlier.disabled = (this.#items[0]?.offset ?? this.#next) <= this.#first;
      this.#later.disabled = false;
    } catch (error) {
      this.#error.textContent = error.message;
    }
  }

  #draw() {
    const form = this.#bodies.read();
    const views = [];
    let expected = this.#items[0]?.offset;
    for (const message of this.#items) {
      if (message.offset > expected) {
        views.push(element('p', { class: 'hint' }, gapText(expected, message.offset - 1)));
      }
      expected = message.offset + 1;
      views.push(messageView(message, `Offset ${message.offset}`, { extra: [['Stored', momentText(message.timestamp)]], form }));
    }
    this.#list.replaceChildren(...views);
  }
}

function extent({ items, first_offset: first, end_offset: end }) {
  if (end <= first) {
    return 'The stream is empty.';
  }
  const kept = `offsets ${first} to ${end - 1} are kept (${countText(end - first)})`;
  return items.length ? `Shown: ${items[0].offset} to ${items.at(-1).offset}; ${kept}.` : `Nothing is there yet; ${kept}.`;
}

function gapText(from, to) {
  const which = from === to ? `Offset ${from}` : `Offsets ${from} to ${to}`;
  return `${which} can't be shown: packed by a compression that only clients of streams unpack, or damaged.`;
}
