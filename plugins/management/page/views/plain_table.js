/** A small table of what is known already: no pages, no filter. */

import { element } from './dom.js';

/** columns: titles, or { title, number }. rows: arrays of text or elements. */
export function plainTable(label, columns, rows) {
  const described = columns.map((column) => (typeof column === 'string' ? { title: column } : column));
  const head = element('tr', {}, ...described.map(({ title, number }) => element('th', { scope: 'col', ...(number ? { class: 'number' } : {}) }, title)));
  const body = rows.map((row) =>
    element('tr', {}, ...row.map((cell, index) => element('td', { 'data-title': described[index].title, ...(described[index].number ? { class: 'number' } : {}) }, cell))),
  );
  return element('div', { class: 'table-scroll' }, element('table', { class: 'list', 'aria-label': label }, element('thead', {}, head), element('tbody', {}, ...body)));
}
