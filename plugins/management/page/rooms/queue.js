/** One queue: how full it is, who consumes, how it is bound; publish to it, look into it, empty it. */

import { link, path, queryText } from '../data/paths.js';
import { SPAN } from '../data/samples.js';
import { Trends } from '../data/trends.js';
import { countText, rateText, sizeText } from '../data/units.js';
import { bindingsPath, BindingList } from '../views/bindings.js';
import { Chart } from '../views/chart.js';
import { ConsumerList } from '../views/consumers.js';
import { button, card, element, linkTo } from '../views/dom.js';
import { deleteButton } from '../views/danger.js';
import { Facts, argumentList } from '../views/facts.js';
import { confirmFirst, makeForm } from '../views/form.js';
import { featureMarks, stateMark } from '../views/marks.js';
import { suggestNames } from '../views/names.js';
import { publishForm } from '../views/publish_form.js';
import { rememberTab, tabs } from '../views/tabs.js';
import { openMove } from './queue_move.js';
import { queueMessages } from './queue_messages.js';

const MESSAGES = [
  ['ready', 'Ready'],
  ['unacknowledged', 'Unacknowledged'],
  ['messages', 'Together'],
];

const RATES = [
  ['publish', 'Published'],
  ['deliver_get', 'Delivered'],
  ['ack', 'Acknowledged'],
  ['redeliver', 'Redelivered'],
  ['get', 'Got'],
];

export async function open(room) {
  const { vhost, name } = room.names;
  const address = path`/queues/${vhost}/${name}`;
  const first = await room.api.get(address, {}, { signal: room.signal });
  const takes = first.type !== 'stream';
  const overview = new QueueOverview(`queue/${vhost}/${name}`);
  const bindings = new BindingList(room, { label: 'Bindings', end: 'source', nothing: 'Nothing is bound to it; it is reached by its name alone.' });
  const consumers = new ConsumerList({ of: 'channel', nothing: 'Nobody consumes.' });
  const bindingsPanel = element('div', {}, card('Bindings to this queue', {}, bindings.place), card('Add a binding', {}, bindForm(room, vhost, name)));
  room.show(
    room.heading(name, {
      over: linkTo(link('queues'), `Queues in ${vhost}`),
      marks: [stateMark(first.type), featureMarks(first)],
      actions: [
        takes && linkTo(link('tap') + queryText({ vhost, queue: name }), 'Watch', { class: 'button', title: 'Messages as they come' }),
        takes && room.offers.has('POST', '/queues/{vhost}/{queue}/move') && button('Move messages', {}, () => openMove(room, vhost, name)),
        takes && button('Purge', { class: 'danger-quiet' }, () => purge(room, address, name)),
        deleteButton(room, {
          what: `queue ${name}`,
          about: 'Its messages are lost.',
          address,
          back: link('queues'),
          fields: [
            { name: 'if-empty', label: 'Only if it is empty', kind: 'check' },
            { name: 'if-unused', label: 'Only if nobody consumes', kind: 'check' },
          ],
        }),
      ].filter(Boolean),
    }),
    tabs(
      `Queue ${name}`,
      [
        ['overview', 'Overview', overview.place],
        ['messages', 'Messages', queueMessages(room, vhost, name, first.type)],
        ['publish', 'Publish', element('div', {}, card('Publish to this queue', { note: 'by the default exchange' }, publishForm(room, { vhost, exchange: '', routingKey: name, asksForKey: false, done: () => room.refresh() })))],
        ['bindings', 'Bindings', bindingsPanel],
        ['consumers', 'Consumers', element('div', {}, card('Consumers', {}, consumers.place))],
      ],
      room.query.get('tab'),
      rememberTab,
    ),
  );
  room.poll(async (signal) => {
    const [queue, bound] = await Promise.all([room.api.get(address, SPAN, { signal }), room.api.get(`${address}/bindings`, {}, { signal })]);
    overview.draw(queue);
    consumers.show(queue.consumer_details ?? []);
    bindings.show(bound);
  });
}

class QueueOverview {
  #messages = new Chart({ title: 'Messages', series: MESSAGES, unit: countText });
  #rates = new Chart({ title: 'Messages per second', series: RATES, unit: rateText });
  #facts = new Facts();
  #rules = new Facts();

  constructor(key) {
    this.trends = new Trends(key, RATES.map(([name]) => name));
    this.place = element(
      'div',
      {},
      element('div', { class: 'columns' }, element('section', { class: 'box', 'aria-label': 'Messages' }, this.#messages.place), element('section', { class: 'box', 'aria-label': 'Rates' }, this.#rates.place)),
      element('div', { class: 'columns' }, card('State', {}, this.#facts.place), card('What it is', {}, this.#rules.place)),
    );
  }

  draw(queue) {
    const isKnown = queue.messages !== undefined;
    this.trends.add(isKnown ? queue : { ...queue, messages: 0, messages_ready: 0, messages_unacknowledged: 0 }, queue.message_stats ?? {}, Date.now());
    this.#messages.draw(this.trends.lengths);
    this.#rates.draw(this.trends.rates);
    this.#facts.show([
      ['State', stateMark(queue.state)],
      ['Messages', isKnown ? null : 'not known: its node doesn’t say'],
      ['Consumers', String(queue.consumers)],
      ['Single active', queue.single_active_consumer_tag],
      ['Exclusive consumer', queue.exclusive_consumer_tag],
      ['Ready bytes', typeof queue.message_bytes_ready === 'number' ? sizeText(queue.message_bytes_ready) : null],
      ['First offset', typeof queue.first_offset === 'number' ? String(queue.first_offset) : null],
      ['Last offset', typeof queue.committed_offset === 'number' && queue.messages > 0 ? String(queue.committed_offset) : null],
      ['On disk', typeof queue.bytes_on_disk === 'number' ? `${sizeText(queue.bytes_on_disk)}, ${queue.segments} ${queue.segments === 1 ? 'file' : 'files'}` : null],
      ['Memory', typeof queue.memory === 'number' ? sizeText(queue.memory) : null],
      ['Owner', queue.owner_pid_details?.name ? linkTo(link('connections', queue.owner_pid_details.name), queue.owner_pid_details.name) : null],
    ]);
    const effective = Object.keys(queue.effective_policy_definition ?? {}).length > 0;
    this.#rules.show([
      ['Type', queue.type],
      ['Arguments', argumentList(queue.arguments)],
      ['Policy', queue.policy || 'none'],
      ['Operator policy', queue.operator_policy || 'none'],
      ['What policies set', effective ? argumentList(queue.effective_policy_definition) : null],
      ['Node', queue.node],
    ]);
  }
}

function purge(room, address, name) {
  confirmFirst({
    title: `Purge queue ${name}?`,
    about: 'Its ready messages are dropped. What is delivered and not acknowledged stays.',
    submit: 'Purge',
    action: async () => {
      await room.api.delete(`${address}/contents`);
      await room.refresh();
      return `Queue ${name} is purged.`;
    },
  });
}

function bindForm(room, vhost, name) {
  const { form, fields } = makeForm({
    label: 'Add a binding',
    submit: 'Bind',
    keeps: true,
    fields: [
      { name: 'source', label: 'From exchange', required: true, list: [] },
      { name: 'key', label: 'Routing key' },
      { name: 'arguments', label: 'Arguments', kind: 'table' },
    ],
    action: async ({ source, key, arguments: table }) => {
      await room.api.post(bindingsPath(vhost, source, 'queue', name), { routing_key: key, arguments: table });
      await room.refresh();
      return 'Bound.';
    },
  });
  suggestNames(room, fields.source, () => 'exchanges', () => vhost);
  return form;
}
