/** Making elements, with what rooms need beside the other page's. Text is always put in as text, never read as HTML. */

import { button, byId, element, oncePerFrame } from '../live/views/dom.js';

export { button, byId, element, oncePerFrame };

const SVG = 'http://www.w3.org/2000/svg';

/** As element(), of a drawing. */
export function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** A link to a room. */
export function linkTo(href, text, attributes = {}) {
  return element('a', { href, ...attributes }, text);
}

/** A word in a coloured capsule. kind: '', 'good', 'warn', 'bad', 'info'. */
export function badge(text, kind = '', title = '') {
  return element('span', { class: `tag ${kind}`.trim(), ...(title ? { title } : {}) }, text);
}

/** A card with a heading; actions: buttons beside it. */
export function card(title, { actions = [], note = '', ...attributes } = {}, ...children) {
  const head = element('div', { class: 'card-head' }, element('h2', {}, title));
  if (note) {
    head.append(element('span', { class: 'card-note' }, note));
  }
  head.append(element('span', { class: 'card-actions' }, ...actions));
  return element('section', { class: 'box', 'aria-label': title, ...attributes }, head, ...children);
}

/** Sets an element's text only if it is another one, so that nothing moves, is announced or loses its selection. */
export function setText(place, text) {
  if (place.textContent !== text) {
    place.textContent = text;
  }
}
