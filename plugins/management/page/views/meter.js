/** How much of something is used, as a bar and in words. */

import { element, setText, shape } from './dom.js';

/** From this part on it is worth a look. */
const MUCH = 0.8;

export class Meter {
  #words = element('span', { class: 'meter-words' });
  #bar = shape('rect', { class: 'meter-bar', width: 0, height: 8 });

  constructor(title) {
    const drawing = shape('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, shape('rect', { class: 'meter-ground', width: 100, height: 8 }), this.#bar);
    this.place = element('div', { class: 'gauge' }, element('span', { class: 'meter-title' }, title), this.#words, drawing);
  }

  /** part: from 0 to 1. */
  draw(part, words, alarmed) {
    setText(this.#words, words);
    const bounded = Math.min(1, Math.max(0, Number.isFinite(part) ? part : 0));
    this.#bar.setAttribute('width', (100 * bounded).toFixed(1));
    this.#bar.setAttribute('class', `meter-bar ${alarmed ? 'bad' : bounded >= MUCH ? 'warn' : ''}`);
  }
}
