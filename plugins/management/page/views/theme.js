/** Light or dark: as the system has it, unless somebody has chosen. */

import { recall, remember } from '../data/remembered.js';
import { byId } from './dom.js';

const CHOICES = ['', 'light', 'dark'];

export function followTheme() {
  const select = byId('theme');
  const known = recall('theme', '');
  select.value = CHOICES.includes(known) ? known : '';
  apply(select.value);
  select.addEventListener('change', () => {
    remember('theme', select.value);
    apply(select.value);
    dispatchEvent(new CustomEvent('warren-theme'));
  });
}

/** What was chosen: '', 'light' or 'dark'. */
export function chosenTheme() {
  return byId('theme').value;
}

function apply(theme) {
  if (theme) {
    document.documentElement.dataset.theme = theme;
  } else {
    delete document.documentElement.dataset.theme;
  }
}
