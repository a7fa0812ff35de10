/** A message as the API has it: where it came from, its properties, its body as text, JSON or hexadecimal. */

import { formOf, textOf, write } from '../live/data/body.js';
import { countText, sizeText } from '../data/units.js';
import { badge, element } from './dom.js';
import { Facts, argumentList, valueText } from './facts.js';

/** The bytes of `payload`, as `payload_encoding` says. */
export function payloadBytes({ payload, payload_encoding: encoding }) {
  if (encoding === 'base64') {
    return Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
  }
  return new TextEncoder().encode(payload);
}

/** number: what it is called. extra: further facts. actions: buttons. form: of the body, as `bodyView` has it. */
export function messageView(message, number, { extra = [], actions = [], form = '' } = {}) {
  const body = payloadBytes(message);
  const facts = new Facts();
  facts.show([
    ['Exchange', message.exchange === '' ? '(default)' : message.exchange],
    ['Routing key', message.routing_key],
    ...extra,
    ...propertyFacts(message.properties ?? {}),
  ]);
  const marks = [message.redelivered ? badge('redelivered', 'warn') : '', badge(sizeText(message.payload_bytes ?? body.length))];
  const head = element('div', { class: 'message-head' }, element('h3', {}, number), element('span', { class: 'marks' }, ...marks), element('span', { class: 'card-actions' }, ...actions));
  return element('article', { class: 'message' }, head, facts.place, bodyView(body, message.payload_bytes ?? body.length, form));
}

function propertyFacts({ headers, ...properties }) {
  const found = Object.entries(properties).map(([name, value]) => [name.replaceAll('_', ' '), valueText(value)]);
  return headers && Object.keys(headers).length ? [...found, ['headers', argumentList(headers)]] : found;
}

/**
 * A body. size: of the whole, of which `bytes` may be the beginning. form: text, json or hex; else as it is best read.
 */
export function bodyView(bytes, size = bytes.length, form = '') {
  const best = formOf(bytes);
  if (best === 'empty') {
    return element('p', { class: 'muted' }, 'The body is empty.');
  }
  const text = write(bytes, form || best);
  const place = element('pre', { class: 'body-text', tabindex: '0', 'aria-label': 'Body' }, text);
  if (size <= bytes.length) {
    return place;
  }
  return element('div', {}, place, element('p', { class: 'hint' }, `${countText(size - bytes.length)} bytes more are not shown.`));
}

/** One line of a body. */
export function bodyPreview(message, length = 120) {
  const bytes = payloadBytes(message);
  return (textOf(bytes) ?? write(bytes.subarray(0, 32), 'hex')).replace(/\s+/g, ' ').slice(0, length);
}
