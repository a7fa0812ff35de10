/** MQTT's retained messages: found by topic, changed, deleted. */

import { path } from '../data/paths.js';
import { sizeText } from '../data/units.js';
import { button, element } from '../views/dom.js';
import { deleteButton } from '../views/danger.js';
import { makeForm, openForm } from '../views/form.js';
import { bodyPreview, payloadBytes } from '../views/message_view.js';
import { ListTable } from '../views/table.js';

export function open(room) {
  const vhost = room.vhostOrFirst;
  const wanted = { filter: '', search: '' };
  const table = new ListTable({
    name: 'mqtt-retained',
    label: 'Retained messages',
    empty: 'No retained message has such a topic.',
    filters: false,
    keyOf: ({ topic }) => topic,
    load: (query, signal) => room.api.get(path`/mqtt/retained/${vhost}`, { ...wanted, page: query.page, page_size: query.page_size }, { signal }),
    changed: () => room.refresh(),
    actions: [button('Add a retained message', { class: 'primary' }, () => edit(room, vhost, null))],
    columns: [
      { key: 'topic', title: 'Topic', draw: ({ topic }) => element('code', {}, topic) },
      { key: 'payload', title: 'Body', draw: (row) => element('code', { class: 'preview' }, bodyPreview(row)) },
      { key: 'size', title: 'Size', number: true, draw: (row) => sizeText(row.payload_bytes ?? payloadBytes(row).length) },
      { key: 'qos', title: 'QoS', number: true, draw: ({ qos }) => (qos === undefined ? '' : String(qos)) },
      {
        key: 'actions',
        title: '',
        of: (row) => JSON.stringify(row),
        draw: (row) =>
          element('span', { class: 'card-actions' }, button('Change', { class: 'small' }, () => edit(room, vhost, row)), deleteButton(room, { what: `the retained message of ${row.topic}`, address: path`/mqtt/retained/${vhost}/${row.topic}` })),
      },
    ],
  });
  const { form } = makeForm({
    label: 'Search',
    submit: 'Search',
    fields: [
      { name: 'filter', label: 'Topic filter', placeholder: 'sensors/+/temperature, or #', hint: 'As a subscription has it.' },
      { name: 'search', label: 'Topic contains' },
    ],
    action: async (values) => {
      Object.assign(wanted, values);
      await room.refresh();
    },
  });
  room.show(room.heading('Retained messages', { over: `in virtual host ${vhost}` }), element('div', { class: 'box' }, form), table.place);
  room.poll((signal) => table.update(signal));
}

function edit(room, vhost, message) {
  const isText = message?.payload_encoding !== 'base64';
  openForm({
    title: message ? 'Change a retained message' : 'Add a retained message',
    about: message?.topic ?? '',
    submit: 'Save',
    fields: [
      ...(message ? [] : [{ name: 'topic', label: 'Topic', required: true }]),
      { name: 'payload', label: 'Body', kind: 'area', value: message?.payload ?? '' },
      { name: 'encoding', label: 'The body is', kind: 'select', options: [['string', 'text'], ['base64', 'base64']], value: isText ? 'string' : 'base64' },
      { name: 'qos', label: 'QoS', kind: 'select', options: ['0', '1', '2'], value: String(message?.qos ?? 0) },
    ],
    action: async ({ topic = message?.topic, payload, encoding, qos }) => {
      await room.api.put(path`/mqtt/retained/${vhost}/${topic}`, { payload, payload_encoding: encoding, qos: Number(qos) });
      await room.refresh();
      return `The message of ${topic} is retained.`;
    },
  });
}
