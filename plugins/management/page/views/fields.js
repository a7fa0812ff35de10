/**
 * Fields of forms, from descriptions: { name, label, kind, value, hint, required, options, placeholder, list, min, max, step }.
 *
 * kind: text (the usual), password, number, moment (a local date and time), check, select, area, table (arguments), file.
 */

import { element } from './dom.js';
import { TableField } from './table_field.js';

let made = 0;

/** { place, read(), name }: read() gives the value; throws an Error in words where it can't be. */
export function makeField(description) {
  const maker = { check, select, area, table, file }[description.kind] ?? input;
  return { name: description.name, ...maker(description) };
}

function identifiers(description) {
  made += 1;
  return { id: `field-${made}`, hint: `hint-${made}`, name: description.name };
}

function wrap(description, ids, control) {
  const place = element('div', { class: description.wide ? 'field wide' : 'field' });
  place.append(element('label', { class: 'label', for: ids.id }, description.label), control);
  if (description.hint) {
    control.setAttribute('aria-describedby', ids.hint);
    place.append(element('p', { class: 'hint', id: ids.hint }, description.hint));
  }
  return place;
}

function common(description, ids) {
  const attributes = { id: ids.id, name: description.name, spellcheck: 'false', autocapitalize: 'off', autocomplete: description.autocomplete ?? 'off' };
  for (const name of ['placeholder', 'min', 'max', 'step']) {
    if (description[name] !== undefined) {
      attributes[name] = description[name];
    }
  }
  if (description.required) {
    attributes.required = '';
  }
  return attributes;
}

function input(description) {
  const ids = identifiers(description);
  const type = { password: 'password', number: 'number', moment: 'datetime-local' }[description.kind] ?? 'text';
  const control = element('input', { type, ...common(description, ids) });
  control.value = description.value ?? '';
  const place = wrap(description, ids, control);
  if (description.list) {
    const list = element('datalist', { id: `${ids.id}-list` }, ...description.list.map((value) => element('option', { value })));
    control.setAttribute('list', list.id);
    place.append(list);
  }
  const read = () => (type === 'number' ? numberOf(control.value) : control.value);
  return { place, control, read };
}

/** null for nothing. */
function numberOf(text) {
  return text.trim() === '' ? null : Number(text);
}

function area(description) {
  const ids = identifiers(description);
  const control = element('textarea', { rows: description.rows ?? 4, ...common(description, ids) });
  control.value = description.value ?? '';
  return { place: wrap({ wide: true, ...description }, ids, control), control, read: () => control.value };
}

function select(description) {
  const ids = identifiers(description);
  const options = description.options.map((option) => {
    const [value, text] = Array.isArray(option) ? option : [option, option];
    return element('option', { value }, text);
  });
  const control = element('select', { id: ids.id, name: description.name }, ...options);
  control.value = description.value ?? options[0]?.value ?? '';
  return { place: wrap(description, ids, control), control, read: () => control.value };
}

function check(description) {
  const ids = identifiers(description);
  const control = element('input', { type: 'checkbox', id: ids.id, name: description.name });
  control.checked = Boolean(description.value);
  const place = element('div', { class: 'field check-field' }, element('label', { class: 'check', for: ids.id }, control, description.label));
  if (description.hint) {
    control.setAttribute('aria-describedby', ids.hint);
    place.append(element('p', { class: 'hint', id: ids.hint }, description.hint));
  }
  return { place, control, read: () => control.checked };
}

function file(description) {
  const ids = identifiers(description);
  const control = element('input', { type: 'file', id: ids.id, name: description.name, accept: description.accept ?? '' });
  return { place: wrap({ wide: true, ...description }, ids, control), control, read: () => control.files[0] ?? null };
}

function table(description) {
  const found = new TableField(description);
  return { place: found.place, control: found.place, read: () => found.read() };
}
