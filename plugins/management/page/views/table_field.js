/** A field for a table of arguments: rows of a name, a type and a value, and known names to begin with. */

import { button, element } from './dom.js';
import { valueText } from './facts.js';

const TYPES = [['text', 'Text'], ['number', 'Number'], ['boolean', 'Yes or no'], ['json', 'JSON']];

export class TableField {
  #rows = element('div', { class: 'table-rows' });
  #label;

  /** description: { name, label, value, known: [name, type, value, about][], addText }. */
  constructor(description) {
    this.#label = description.label;
    this.place = element('fieldset', { class: 'field wide table-field', name: description.name });
    this.place.append(element('legend', { class: 'label' }, description.label));
    if (description.hint) {
      this.place.append(element('p', { class: 'hint' }, description.hint));
    }
    const add = button(description.addText ?? 'Add a row', { class: 'small' }, () => this.#add('', 'text', '').focus());
    const known = (description.known ?? []).map(([name, type, value, about]) =>
      button(name, { class: 'chip', title: about }, () => this.#addKnown(name, type, value)),
    );
    this.place.append(this.#rows, element('div', { class: 'chips' }, add, ...known));
    for (const [name, value] of Object.entries(description.value ?? {})) {
      this.#add(name, typeOf(value), valueText(value));
    }
  }

  /** The table. Throws an Error in words where a value isn't of its type. */
  read() {
    const found = {};
    for (const row of this.#rows.children) {
      const [name, type, value] = [...row.querySelectorAll('input, select')].map((each) => each.value);
      if (name.trim() !== '') {
        Object.defineProperty(found, name.trim(), { value: parsed(name, type, value), enumerable: true, configurable: true });
      }
    }
    return found;
  }

  #addKnown(name, type, value) {
    const there = [...this.#rows.children].find((row) => row.querySelector('input').value === name);
    const row = there ?? this.#add(name, type, value).closest('.table-row');
    const field = row.querySelector('.table-value');
    field.focus();
    field.select();
  }

  #add(name, type, value) {
    const nameField = element('input', { type: 'text', class: 'table-name', 'aria-label': `${this.#label}: name`, placeholder: 'name', spellcheck: 'false', autocapitalize: 'off' });
    nameField.value = name;
    const typeField = element('select', { class: 'table-type', 'aria-label': `${this.#label}: type` }, ...TYPES.map(([key, text]) => element('option', { value: key }, text)));
    typeField.value = type;
    const valueField = element('input', { type: 'text', class: 'table-value', 'aria-label': `${this.#label}: value`, placeholder: 'value', spellcheck: 'false', autocapitalize: 'off' });
    valueField.value = value;
    const remove = button('×', { class: 'quiet small', 'aria-label': 'Remove this row' }, () => row.remove());
    const row = element('div', { class: 'table-row' }, nameField, typeField, valueField, remove);
    this.#rows.append(row);
    return nameField;
  }
}

function typeOf(value) {
  return { string: 'text', number: 'number', boolean: 'boolean' }[typeof value] ?? 'json';
}

function parsed(name, type, value) {
  if (type === 'number') {
    if (value.trim() === '' || Number.isNaN(Number(value))) {
      throw new Error(`${name} must be a number, not “${value}”.`);
    }
    return Number(value);
  }
  if (type === 'boolean') {
    const word = value.trim().toLowerCase();
    if (!['true', 'false', 'yes', 'no'].includes(word)) {
      throw new Error(`${name} must be yes or no, not “${value}”.`);
    }
    return word === 'true' || word === 'yes';
  }
  if (type === 'json') {
    try {
      return JSON.parse(value);
    } catch {
      throw new Error(`${name} must be JSON, such as ["a", "b"], not “${value}”.`);
    }
  }
  return value;
}
