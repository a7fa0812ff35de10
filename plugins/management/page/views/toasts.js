/** What was done, in a line that goes by itself; it is read out, and takes no focus. */

import { byId, element } from './dom.js';

const SHOWN_MS = 6000;

export function toast(text, kind = 'good') {
  const made = element('p', { class: `toast ${kind}` }, text);
  byId('toasts').append(made);
  setTimeout(() => made.remove(), SHOWN_MS);
}
