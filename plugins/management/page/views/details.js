/** An object of the API as it is: what is simple as facts, lists of objects as tables. */

import { element } from './dom.js';
import { Facts, argumentList, valueText } from './facts.js';
import { plainTable } from './plain_table.js';

/** Names as people read them: session_expiry_s → session expiry s. */
function readable(name) {
  return name.replaceAll('_', ' ');
}

/** without: names that are shown elsewhere. */
export function details(object, without = []) {
  const entries = Object.entries(object).filter(([name, value]) => !without.includes(name) && value !== null && value !== '');
  const facts = new Facts();
  facts.show(entries.filter(([, value]) => !isTable(value)).map(([name, value]) => [readable(name), factOf(value)]));
  const tables = entries.filter(([, value]) => isTable(value)).map(([name, rows]) => objectTable(readable(name), rows));
  return element('div', {}, facts.place, ...tables);
}

function isTable(value) {
  return Array.isArray(value) && value.length > 0 && typeof value[0] === 'object';
}

function factOf(value) {
  if (typeof value === 'boolean') {
    return value ? 'yes' : 'no';
  }
  if (Array.isArray(value)) {
    return value.map(valueText).join(', ') || 'none';
  }
  return typeof value === 'object' ? argumentList(value) : String(value);
}

/** A table of objects with a column for each name that any of them has. */
export function objectTable(label, rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return plainTable(label, names.map(readable), rows.map((row) => names.map((name) => (row[name] === undefined || row[name] === null ? '' : factOf(row[name])))));
}
