/**
 * The last frames of a connection as the broker has decoded them, and what went wrong on it, in words.
 *
 * The broker keeps frames while somebody looks, so that connections that nobody looks at cost nothing; each look here
 * asks it to go on.
 */

import { timeText } from '../live/views/format.js';
import { countText, momentText, sizeText } from '../data/units.js';
import { element, setText } from './dom.js';

/** Seconds that the broker goes on keeping frames after a look: longer than the slowest refresh. */
export const WATCH_S = 90;

export class FrameList {
  #note = element('p', { class: 'hint' });
  #troubles = element('div');
  #list = element('ol', { class: 'frames', tabindex: '0', 'aria-label': 'Last frames' });
  #shown = '';
  place = element('div', {}, this.#troubles, this.#list, this.#note);

  /** answer: of GET /connections/{name}/frames. */
  show({ frames, troubles, passed }) {
    setText(this.#note, frames.length ? `${countText(passed)} have passed since one looks; the latest are shown.` : 'None has passed since one looks.');
    const signature = JSON.stringify([frames, troubles]);
    if (signature === this.#shown) {
      return;
    }
    this.#shown = signature;
    const atEnd = this.#list.scrollTop + this.#list.clientHeight >= this.#list.scrollHeight - 4;
    this.#troubles.replaceChildren(...troubles.map(drawTrouble));
    this.#list.replaceChildren(...frames.map(drawFrame));
    if (atEnd) {
      this.#list.scrollTop = this.#list.scrollHeight;
    }
  }

  /** Why there are none. */
  refuse(reason) {
    this.#list.replaceChildren();
    setText(this.#note, reason);
  }
}

function drawTrouble({ at, by_client: byClient, text }) {
  return element('p', { class: 'alarm' }, `${momentText(at)}, ${byClient ? 'the client says' : 'the broker says'}: ${text}`);
}

function drawFrame({ at, direction, size, text }) {
  const sent = direction === 'sent';
  return element(
    'li',
    { class: sent ? 'out' : 'in' },
    element('span', { class: 'frame-time' }, timeText(at)),
    element('span', { class: 'frame-way' }, sent ? '→ client' : '← client'),
    element('code', {}, text, element('span', { class: 'muted' }, `  ${sizeText(size)}`)),
  );
}
