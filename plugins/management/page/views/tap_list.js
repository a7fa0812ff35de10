/** Messages as they come, newest first, each a line that opens; what is drawn is in proportion to what is new. */

import { timeText } from '../live/views/format.js';
import { countText, sizeText } from '../data/units.js';
import { element, oncePerFrame } from './dom.js';
import { bodyPreview, messageView } from './message_view.js';

export class TapList {
  place = element('ol', { class: 'tapped', 'aria-label': 'Messages, newest first' });
  #elements = new Map();
  #draw;

  /** tapped: a Tapped, whose rows are shown after changed(). */
  constructor(tapped) {
    this.#draw = oncePerFrame(() => this.#show(tapped.rows));
  }

  changed() {
    this.#draw();
  }

  #show(rows) {
    const wanted = new Set(rows.map(({ number }) => number));
    for (const [number, row] of this.#elements) {
      if (!wanted.has(number)) {
        row.remove();
        this.#elements.delete(number);
      }
    }
    const fresh = rows.filter(({ number }) => !this.#elements.has(number));
    const made = fresh.map((row) => {
      const drawn = row.message ? drawMessage(row) : element('li', { class: 'tap-missed' }, `${countText(row.missed)} missed: they came faster than this page took them.`);
      this.#elements.set(row.number, drawn);
      return drawn;
    });
    this.place.prepend(...made);
  }
}

function drawMessage({ number, message }) {
  const summary = element(
    'summary',
    {},
    element('span', { class: 'tap-time' }, timeText(message.at)),
    element('span', { class: 'tap-key' }, `${message.exchange || '(default)'} → ${message.routing_key || '(empty)'}`),
    element('span', { class: 'tap-size' }, sizeText(message.payload_bytes)),
    element('span', { class: 'tap-body' }, bodyPreview(message)),
  );
  const whole = element('details', {}, summary);
  // Most are never opened.
  whole.addEventListener('toggle', () => whole.children.length < 2 && whole.append(messageView(message, `Message ${countText(number)}`)));
  return element('li', {}, whole);
}
