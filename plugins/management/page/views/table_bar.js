/** What stands above a list: a filter by name, how many there are, which columns are shown, and buttons. */

import { element, setText } from './dom.js';

/** While somebody types, the API is asked when he stops. */
const TYPING_MS = 250;

let made = 0;

export class TableBar {
  #input;
  #regex;
  #count = element('span', { class: 'count', role: 'status' });
  #complaint = element('p', { class: 'form-error', role: 'alert' });

  /** chosen(): after `hidden` has changed; filtered(): after the filter has. */
  constructor({ columns, hidden, actions, filters, chosen, filtered }) {
    made += 1;
    this.place = element('div', { class: 'table-bar' });
    if (filters) {
      this.place.append(...this.#filters(filtered));
    }
    this.place.append(this.#count, element('span', { class: 'card-actions' }, columnChooser(columns, hidden, chosen), ...actions), this.#complaint);
  }

  get filter() {
    return this.#input?.value ?? '';
  }

  get useRegex() {
    return this.#regex?.checked ?? false;
  }

  count(filtered, total) {
    setText(this.#count, filtered === total ? `${total}` : `${filtered} of ${total}`);
  }

  complain(text) {
    setText(this.#complaint, text);
  }

  #filters(filtered) {
    this.#input = element('input', { type: 'search', class: 'filter', placeholder: 'Filter by name', 'aria-label': 'Filter by name', spellcheck: 'false', autocapitalize: 'off' });
    this.#regex = element('input', { type: 'checkbox' });
    let timer = null;
    this.#input.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(filtered, TYPING_MS);
    });
    this.#regex.addEventListener('change', filtered);
    return [this.#input, element('label', { class: 'check' }, this.#regex, 'Regex')];
  }
}

function columnChooser(columns, hidden, chosen) {
  const boxes = columns.slice(1).map(({ key, title }) => {
    const box = element('input', { type: 'checkbox', 'data-column': key });
    box.checked = !hidden.has(key);
    box.addEventListener('change', () => {
      if (box.checked) {
        hidden.delete(key);
      } else {
        hidden.add(key);
      }
      chosen();
    });
    return element('label', { class: 'check' }, box, title);
  });
  if (!boxes.length) {
    return '';
  }
  const place = element('details', { class: 'chooser' }, element('summary', {}, 'Columns'), element('div', { class: 'chooser-list', role: 'group', 'aria-label': 'Columns' }, ...boxes));
  place.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && place.open) {
      place.open = false;
      place.querySelector('summary').focus();
    }
  });
  place.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget && !place.contains(relatedTarget)) {
      place.open = false;
    }
  });
  return place;
}
