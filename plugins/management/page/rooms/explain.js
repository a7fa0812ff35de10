/** A dry run of a publish: where a message would go, step by step, with what matched and what nearly did. */

import { exchangeName, link, path } from '../data/paths.js';
import { countText } from '../data/units.js';
import { badge, card, element, linkTo } from '../views/dom.js';
import { argumentList } from '../views/facts.js';
import { makeForm } from '../views/form.js';
import { suggestNames } from '../views/names.js';
import { plainTable } from '../views/plain_table.js';

const OUTCOMES = { routed: 'good', held: 'info', unroutable: 'warn', refused: 'bad', dropped: 'warn', duplicate: 'info' };

const TAKES = { take: 'good', refuse: 'bad', drop: 'warn' };

const KNOWN_HEADERS = [
  ['x-delay', 'number', '5000', 'Milliseconds that an exchange of type x-delayed-message keeps it'],
  ['CC', 'json', '["key"]', 'Further routing keys'],
];

export function open(room) {
  const answer = element('div', { 'aria-live': 'polite', class: 'room' });
  const own = room.shell.who.name;
  const asOther = room.may('administrator') ? [{ name: 'user', label: 'As user', value: own, hint: 'Whose permissions count; nobody’s if this is empty.' }] : [];
  const { form, fields } = makeForm({
    label: 'Where would this message go?',
    submit: 'Explain',
    keeps: true,
    fields: [
      { name: 'vhost', label: 'Virtual host', kind: 'select', options: room.vhosts, value: room.query.get('vhost') ?? room.vhostOrFirst },
      { name: 'exchange', label: 'Exchange', value: room.query.get('exchange') ?? '', placeholder: '(default)', list: [] },
      { name: 'key', label: 'Routing key', value: room.query.get('key') ?? '' },
      { name: 'topic', label: 'or MQTT topic', value: room.query.get('topic') ?? '', hint: 'Instead of exchange and key.' },
      ...asOther,
      { name: 'bytes', label: 'Size of the body, bytes', kind: 'number', min: 0, value: 0 },
      { name: 'headers', label: 'Headers', kind: 'table', addText: 'Add a header', known: KNOWN_HEADERS },
    ],
    action: async ({ vhost, exchange, key, topic, user = own, bytes, headers }) => {
      answer.replaceChildren();
      const found = await room.api.post(path`/explain/${vhost}`, {
        ...(topic ? { mqtt_topic: topic, exchange: '', routing_key: '' } : { exchange, routing_key: key }),
        payload_bytes: bytes ?? 0,
        properties: Object.keys(headers).length ? { headers } : {},
        ...(user ? { user } : {}),
      });
      answer.replaceChildren(...drawExplanation(found, vhost));
    },
  });
  suggestNames(room, fields.exchange, () => 'exchanges', () => fields.vhost.read());
  room.show(room.heading('Where would it go, and why?'), card('A message', { note: 'nothing is published' }, form), answer);
}

function drawExplanation(found, vhost) {
  const verdict = card('The answer', { actions: [badge(found.outcome, OUTCOMES[found.outcome] ?? '')] }, element('p', { class: 'verdict' }, sentence(found.text)));
  const steps = element('ol', { class: 'steps' }, ...found.steps.map((step) => drawStep(step, vhost)));
  const more = found.queue_count - found.queues.length;
  const queues = found.queues.map((queue) => drawQueue(queue, vhost));
  return [
    verdict,
    card('Step by step', {}, steps),
    ...(queues.length ? [card(found.queue_count === 1 ? 'The queue' : 'The queues', {}, ...queues, ...(more > 0 ? [element('p', { class: 'hint' }, `And ${countText(more)} more.`)] : []))] : []),
  ];
}

function drawStep(step, vhost) {
  const heading = element('div', { class: 'step-text' }, element('span', {}, sentence(step.text)));
  const parts = [heading];
  if (step.binding_count) {
    const open = step.exchange ? linkTo(link('exchanges', vhost, exchangeName(step.exchange)), 'Open the exchange') : '';
    parts.push(element('p', { class: 'step-note' }, `${counted(step)} `, open));
  }
  if (step.matched.length) {
    parts.push(bindings('Lead on', step.matched, step.matched_count, vhost));
  }
  if (step.missed.length) {
    parts.push(bindings('Nearly do', step.missed, step.missed_count, vhost));
  }
  return element('li', { class: step.ok ? 'matched' : 'refused' }, ...parts);
}

function counted(step) {
  const rest = step.looked_at < step.binding_count ? `, of which ${countText(step.looked_at)} were looked at` : '';
  return `${countText(step.binding_count)} ${step.binding_count === 1 ? 'binding' : 'bindings'}${rest}; ${countText(step.matched_count)} lead on.`;
}

function bindings(title, found, count, vhost) {
  const rows = found.map((each) => [
    linkTo(link(each.destination_type === 'queue' ? 'queues' : 'exchanges', vhost, each.destination), each.destination),
    element('code', {}, each.routing_key || '(empty)'),
    argumentList(each.arguments, ''),
    each.reason,
  ]);
  const table = plainTable(title, [title, 'Key', 'Arguments', 'Because'], rows);
  const more = count - found.length;
  return element('div', { class: 'step-bindings' }, table, ...(more > 0 ? [element('p', { class: 'hint' }, `And ${countText(more)} more.`)] : []));
}

function drawQueue(queue, vhost) {
  const words = { take: 'takes it', refuse: 'refuses it', drop: 'drops it' }[queue.takes] ?? queue.takes;
  const head = element(
    'div',
    { class: 'message-head' },
    element('h3', {}, queue.whose ? queue.name : linkTo(link('queues', vhost, queue.name), queue.name)),
    element('span', { class: 'marks' }, badge(words, TAKES[queue.takes] ?? ''), badge(queue.type), queue.delayed ? badge('when it is due', 'info') : ''),
  );
  const facts = [
    queue.whose ? `It is ${queue.whose}.` : '',
    `${countText(queue.messages_ready)} messages wait in it; ${queue.consumer_count ? `${countText(queue.consumer_count)} consume: ${queue.consumers.join(', ')}` : 'nobody consumes'}.`,
    ...queue.notes.map(sentence),
    queue.dead_letters ? sentence(queue.dead_letters.text) : '',
  ];
  return element('article', { class: 'message' }, head, ...facts.filter(Boolean).map((text) => element('p', {}, text)));
}

/** Its first letter large, and a full stop. */
function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!]$/.test(whole) ? whole : `${whole}.`;
}
