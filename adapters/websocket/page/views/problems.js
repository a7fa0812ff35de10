/** What went wrong, in the protocol's own words, above everything else until it is dismissed. */

import { button, element } from './dom.js';
import { timeText } from './format.js';

/** More at a time would push the page away. */
const SHOWN_MAX = 3;

/** A broker may say anything; the wire has all of it. */
const LETTERS_MAX = 1000;

export class Problems {
  #place;

  constructor(place) {
    this.#place = place;
  }

  /** passing: it will be tried again; gone at the next login. The same text isn't said twice. */
  add(whole, { passing = false } = {}) {
    const text = whole.length > LETTERS_MAX ? `${whole.slice(0, LETTERS_MAX)}…` : whole;
    const said = [...this.#place.children].find((each) => each.dataset.text === text);
    said?.remove();
    const problem = element('div', { class: passing ? 'problem passing' : 'problem', 'data-text': text });
    const dismiss = button('Dismiss', { class: 'quiet small' }, () => problem.remove());
    problem.append(element('p', {}, text), element('time', {}, timeText(Date.now()).slice(0, 8)), dismiss);
    this.#place.prepend(problem);
    [...this.#place.children].slice(SHOWN_MAX).forEach((each) => each.remove());
  }

  clear() {
    this.#place.replaceChildren();
  }
}
