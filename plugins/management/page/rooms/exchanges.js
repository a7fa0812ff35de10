/** All exchanges, and a form for a new one. */

import { exchangeName, link, path } from '../data/paths.js';
import { rateText } from '../data/units.js';
import { button, linkTo } from '../views/dom.js';
import { openForm } from '../views/form.js';
import { featureMarks } from '../views/marks.js';
import { ListTable } from '../views/table.js';

const ARGUMENTS = [
  ['alternate-exchange', 'text', '', 'Where messages go that reach no queue'],
  ['x-delayed-type', 'text', 'direct', 'How an exchange of type x-delayed-message routes in the end'],
];

const rate = (name) => ({ message_stats: stats }) => rateText(stats?.[`${name}_details`]?.rate ?? 0);

const COLUMNS = [
  { key: 'name', title: 'Name', needs: ['name', 'vhost'], sort: 'name', draw: ({ vhost, name }) => linkTo(link('exchanges', vhost, exchangeName(name)), name || '(default)') },
  { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
  { key: 'type', title: 'Type', sort: 'type' },
  { key: 'features', title: 'Features', needs: ['durable', 'auto_delete', 'internal', 'arguments'], draw: featureMarks },
  { key: 'policy', title: 'Policy', off: true },
  { key: 'in', title: 'In', needs: ['message_stats'], number: true, sort: 'message_stats.publish_in_details.rate', draw: rate('publish_in'), about: 'Messages per second to it' },
  { key: 'out', title: 'Out', needs: ['message_stats'], number: true, sort: 'message_stats.publish_out_details.rate', draw: rate('publish_out'), about: 'Messages per second from it to queues' },
  { key: 'messages_delayed', title: 'Delayed', number: true, off: true, draw: ({ messages_delayed: count }) => (typeof count === 'number' ? String(count) : '–') },
];

export function open(room) {
  const table = new ListTable({
    name: 'exchanges',
    label: 'Exchanges',
    columns: COLUMNS,
    empty: 'There are no exchanges here.',
    keyOf: ({ vhost, name }) => `${vhost}/${name}`,
    load: (query, signal) => room.api.get(room.listPath('exchanges'), query, { signal }),
    changed: () => refresh(),
  });
  room.show(room.heading('Exchanges', { actions: [button('Add an exchange', { class: 'primary' }, () => add(room))] }), table.place);
  const refresh = room.poll((signal) => table.update(signal));
}

function add(room) {
  const types = room.shell.overview?.exchange_types.map(({ name }) => name) ?? ['direct', 'fanout', 'topic', 'headers'];
  openForm({
    title: 'Add an exchange',
    submit: 'Add the exchange',
    fields: [
      { name: 'vhost', label: 'Virtual host', kind: 'select', options: room.vhosts, value: room.vhostOrFirst },
      { name: 'name', label: 'Name', required: true },
      { name: 'type', label: 'Type', kind: 'select', options: types },
      { name: 'durable', label: 'Durable', kind: 'check', value: true, hint: 'It survives a restart.' },
      { name: 'autoDelete', label: 'Auto-delete', kind: 'check', hint: 'It goes with the last binding from it.' },
      { name: 'internal', label: 'Internal', kind: 'check', hint: 'Only other exchanges reach it.' },
      { name: 'arguments', label: 'Arguments', kind: 'table', known: ARGUMENTS },
    ],
    action: async ({ vhost, name, type, durable, autoDelete, internal, arguments: table }) => {
      await room.api.put(path`/exchanges/${vhost}/${name}`, { type, durable, auto_delete: autoDelete, internal, arguments: table });
      await room.refresh();
      return `Exchange ${name} is there.`;
    },
  });
}
