/** All queues, and a form for a new one. */

import { link, path } from '../data/paths.js';
import { countText, rateText, sizeText } from '../data/units.js';
import { button, linkTo } from '../views/dom.js';
import { openForm } from '../views/form.js';
import { featureMarks, stateMark } from '../views/marks.js';
import { ListTable } from '../views/table.js';

const ARGUMENTS = [
  ['x-message-ttl', 'number', '60000', 'Messages expire after so many milliseconds'],
  ['x-expires', 'number', '1800000', 'The queue goes when it is unused for so many milliseconds'],
  ['x-max-length', 'number', '10000', 'So many messages at most'],
  ['x-max-length-bytes', 'number', '104857600', 'So many bytes of bodies at most'],
  ['x-overflow', 'text', 'reject-publish', 'drop-head, reject-publish or reject-publish-dlx: what a full queue does'],
  ['x-dead-letter-exchange', 'text', 'amq.direct', 'Where messages go that expire, are rejected or don’t fit'],
  ['x-dead-letter-routing-key', 'text', '', 'With which key; their own unless it is said'],
  ['x-delivery-limit', 'number', '20', 'How often a message is delivered before it is dead'],
  ['x-max-priority', 'number', '10', 'Messages of higher priority come first'],
  ['x-single-active-consumer', 'boolean', 'true', 'One consumer at a time'],
  ['x-max-age', 'text', '7D', 'Of a stream: messages are kept so long (Y, M, D, h, m, s)'],
  ['x-stream-max-segment-size-bytes', 'number', '500000000', 'Of a stream: its files are so long'],
];

/** Of another node's queue it may not be known. */
const count = (name) => (row) => (row[name] === undefined ? '–' : countText(row[name]));
const rate = (name) => ({ message_stats: stats }) => rateText(stats?.[`${name}_details`]?.rate ?? 0);

const COLUMNS = [
  { key: 'name', title: 'Name', needs: ['name', 'vhost'], sort: 'name', draw: ({ vhost, name }) => linkTo(link('queues', vhost, name), name) },
  { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
  { key: 'type', title: 'Type', sort: 'type' },
  { key: 'features', title: 'Features', needs: ['durable', 'auto_delete', 'exclusive', 'arguments'], draw: featureMarks },
  { key: 'policy', title: 'Policy', off: true },
  { key: 'node', title: 'Node', off: true, about: 'Of a cluster, the one that has it' },
  { key: 'state', title: 'State', draw: ({ state }) => stateMark(state) },
  { key: 'messages_ready', title: 'Ready', number: true, sort: 'messages_ready', draw: count('messages_ready') },
  { key: 'messages_unacknowledged', title: 'Unacked', number: true, sort: 'messages_unacknowledged', draw: count('messages_unacknowledged'), about: 'Delivered, and not acknowledged yet' },
  { key: 'messages', title: 'Total', number: true, sort: 'messages', draw: count('messages') },
  { key: 'consumers', title: 'Consumers', number: true, sort: 'consumers' },
  { key: 'publish', title: 'In', needs: ['message_stats'], number: true, sort: 'message_stats.publish_details.rate', draw: rate('publish'), about: 'Published per second' },
  { key: 'deliver', title: 'Out', needs: ['message_stats'], number: true, sort: 'message_stats.deliver_get_details.rate', draw: rate('deliver_get'), about: 'Delivered per second' },
  { key: 'ack', title: 'Acked', needs: ['message_stats'], number: true, sort: 'message_stats.ack_details.rate', draw: rate('ack'), off: true, about: 'Acknowledged per second' },
  { key: 'memory', title: 'Memory', number: true, sort: 'memory', off: true, draw: ({ memory }) => (memory === null || memory === undefined ? '–' : sizeText(memory)) },
];

export function open(room) {
  const table = new ListTable({
    name: 'queues',
    label: 'Queues',
    columns: COLUMNS,
    empty: 'There are no queues here yet.',
    keyOf: ({ vhost, name }) => `${vhost}/${name}`,
    load: (query, signal) => room.api.get(room.listPath('queues'), query, { signal }),
    changed: () => refresh(),
  });
  room.show(room.heading('Queues', { actions: [button('Add a queue', { class: 'primary' }, () => add(room))] }), table.place);
  const refresh = room.poll((signal) => table.update(signal));
}

function add(room) {
  openForm({
    title: 'Add a queue',
    submit: 'Add the queue',
    fields: [
      { name: 'vhost', label: 'Virtual host', kind: 'select', options: room.vhosts, value: room.vhostOrFirst },
      { name: 'name', label: 'Name', required: true },
      { name: 'type', label: 'Type', kind: 'select', options: [['', 'default of the virtual host'], 'classic', 'quorum', 'stream'] },
      { name: 'durable', label: 'Durable', kind: 'check', value: true, hint: 'It survives a restart.' },
      { name: 'autoDelete', label: 'Auto-delete', kind: 'check', hint: 'It goes when its last consumer has gone.' },
      { name: 'arguments', label: 'Arguments', kind: 'table', known: ARGUMENTS },
    ],
    action: async ({ vhost, name, type, durable, autoDelete, arguments: table }) => {
      await room.api.put(path`/queues/${vhost}/${name}`, {
        durable,
        auto_delete: autoDelete,
        arguments: type ? { ...table, 'x-queue-type': type } : table,
      });
      await room.refresh();
      return `Queue ${name} is there.`;
    },
  });
}
