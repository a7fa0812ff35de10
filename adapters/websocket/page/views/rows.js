/** How rows of the two lists are written. A row keeps its cells; only their text changes. */

import { formOf, preview } from '../data/body.js';
import { element } from './dom.js';
import { sizeText, timeText } from './format.js';

function cells(row, names) {
  if (!row.childElementCount) {
    row.append(...names.map((name) => element('span', { class: name, role: 'gridcell' })));
  }
  return row.children;
}

/** time, destination, size, properties, body */
export function fillMessage(row, message) {
  const [time, destination, size, properties, body] = cells(row, ['time', 'destination', 'size number', 'properties', 'preview']);
  time.textContent = timeText(message.time);
  destination.textContent = message.destination;
  size.textContent = sizeText(message.body.length);
  properties.textContent = propertiesText(message);
  fillBody(body, message.body);
}

function propertiesText({ marks, properties }) {
  return [...marks, ...properties.filter(([name]) => !MINOR.has(name)).map(([name, value]) => `${name}: ${value}`)].join(', ');
}

/** Headers that most messages have; the selected message shows them all. */
const MINOR = new Set(['message-id', 'redelivered', 'receipt', 'content-type']);

function fillBody(cell, body) {
  const form = formOf(body);
  if (form === 'empty') {
    cell.replaceChildren(element('span', { class: 'nothing' }, 'empty'));
  } else if (form === 'text') {
    cell.textContent = preview(body);
  } else {
    cell.replaceChildren(element('span', { class: 'form' }, form === 'json' ? 'JSON' : 'HEX'), preview(body));
  }
}

/** time, frame, size, content */
export function fillWire(row, entry) {
  const [time, name, size, summary] = cells(row, ['time', 'frame-name', 'size number', 'preview']);
  row.dataset.direction = entry.direction;
  row.dataset.name = entry.name;
  time.textContent = timeText(entry.time);
  name.textContent = entry.name;
  size.textContent = sizeText(entry.size);
  summary.textContent = entry.summary();
}
