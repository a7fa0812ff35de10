/** One exchange: what is bound to it, drawn and listed; publish to it, bind, delete. */

import { link, path, queryText } from '../data/paths.js';
import { SPAN } from '../data/samples.js';
import { Trends } from '../data/trends.js';
import { rateText } from '../data/units.js';
import { BindingGraph } from '../views/binding_graph.js';
import { BindingList, bindingsPath } from '../views/bindings.js';
import { Chart } from '../views/chart.js';
import { deleteButton } from '../views/danger.js';
import { badge, card, element, linkTo } from '../views/dom.js';
import { Facts, argumentList } from '../views/facts.js';
import { makeForm } from '../views/form.js';
import { featureMarks } from '../views/marks.js';
import { suggestNames } from '../views/names.js';
import { publishForm } from '../views/publish_form.js';
import { rememberTab, tabs } from '../views/tabs.js';

const RATES = [
  ['publish_in', 'To it'],
  ['publish_out', 'On to queues'],
];

const DEFAULT = 'amq.default';

export async function open(room) {
  const { vhost, name } = room.names;
  const address = path`/exchanges/${vhost}/${name}`;
  const first = await room.api.get(address, {}, { signal: room.signal });
  const trends = new Trends(`exchange/${vhost}/${name}`, RATES.map(([rate]) => rate));
  const rates = new Chart({ title: 'Messages per second', series: RATES, unit: rateText });
  const facts = new Facts();
  const graph = new BindingGraph(first.name);
  const from = new BindingList(room, { label: 'Bindings from it', end: 'destination', nothing: 'Nothing is bound to it: what is published here is lost, or goes to the alternate exchange.' });
  const to = new BindingList(room, { label: 'Bindings to it', end: 'source', nothing: 'It is bound to no other exchange.' });
  const isDefault = name === DEFAULT || first.name === '';
  room.show(
    room.heading(first.name || 'Default exchange', {
      over: linkTo(link('exchanges'), `Exchanges in ${vhost}`),
      marks: [badge(first.type), featureMarks(first)],
      actions: isDefault
        ? [explainLink(vhost, '')]
        : [
            explainLink(vhost, name),
            linkTo(link('tap') + queryText({ vhost, exchange: name }), 'Watch', { class: 'button', title: 'Messages as they come' }),
            deleteButton(room, {
              what: `exchange ${name}`,
              address,
              about: 'Its bindings go with it.',
              back: link('exchanges'),
              fields: [{ name: 'if-unused', label: 'Only if nothing is bound to it', kind: 'check' }],
            }),
          ],
    }),
    tabs(
      `Exchange ${name}`,
      [
        ['overview', 'Overview', element('div', {}, card('Where messages go', {}, graph.place), element('div', { class: 'columns' }, element('section', { class: 'box', 'aria-label': 'Rates' }, rates.place), card('What it is', {}, facts.place)))],
        ['bindings', 'Bindings', element('div', {}, card('From it', {}, from.place), card('To it', {}, to.place), ...(isDefault ? [] : [card('Bind something to it', {}, bindForm(room, vhost, name))]))],
        ['publish', 'Publish', element('div', {}, card('Publish', {}, publishForm(room, { vhost, exchange: first.name, done: () => room.refresh() })))],
      ],
      room.query.get('tab'),
      rememberTab,
    ),
  );
  room.poll(async (signal) => {
    const [exchange, out, into] = await Promise.all([
      room.api.get(address, SPAN, { signal }),
      room.api.get(`${address}/bindings/source`, {}, { signal }),
      room.api.get(`${address}/bindings/destination`, {}, { signal }),
    ]);
    trends.add({}, exchange.message_stats ?? {}, Date.now());
    rates.draw(trends.rates);
    graph.draw(out, into);
    from.show(out);
    to.show(into);
    facts.show(factsOf(exchange));
  });
}

function explainLink(vhost, exchange) {
  return linkTo(link('explain') + queryText({ vhost, exchange }), 'Where would it go?', { class: 'button' });
}

function factsOf(exchange) {
  const effective = Object.keys(exchange.effective_policy_definition ?? {}).length > 0;
  return [
    ['Type', exchange.type],
    ['Arguments', argumentList(exchange.arguments)],
    ['Policy', exchange.policy || 'none'],
    ['Operator policy', exchange.operator_policy || null],
    ['What policies set', effective ? argumentList(exchange.effective_policy_definition) : null],
    ['Delayed messages', exchange.messages_delayed ? linkTo(link('delayed'), String(exchange.messages_delayed)) : null],
  ];
}

function bindForm(room, vhost, name) {
  const { form, fields } = makeForm({
    label: 'Bind something to it',
    submit: 'Bind',
    keeps: true,
    fields: [
      { name: 'type', label: 'What', kind: 'select', options: [['queue', 'a queue'], ['exchange', 'an exchange']] },
      { name: 'destination', label: 'Its name', required: true, list: [] },
      { name: 'key', label: 'Routing key' },
      { name: 'arguments', label: 'Arguments', kind: 'table', known: [['x-match', 'text', 'all', 'headers exchange: all or any of the other arguments']] },
    ],
    action: async ({ type, destination, key, arguments: table }) => {
      await room.api.post(bindingsPath(vhost, name, type, destination), { routing_key: key, arguments: table });
      await room.refresh();
      return 'Bound.';
    },
  });
  suggestNames(room, fields.destination, () => `${fields.type.read()}s`, () => vhost);
  return form;
}
