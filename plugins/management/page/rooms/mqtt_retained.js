/** MQTT's retained messages: found by topic, changed, deleted. */

import { offsetOf, pageOf } from '../data/pages.js';
import { path } from '../data/paths.js';
import { momentText, sizeText } from '../data/units.js';
import { button, element } from '../views/dom.js';
import { deleteButton } from '../views/danger.js';
import { makeForm, openForm } from '../views/form.js';
import { bodyPreview } from '../views/message_view.js';
import { ListTable } from '../views/table.js';
import { toast } from '../views/toasts.js';

/** Of a body in the list. */
const PREVIEW_BYTES = 240;

export function open(room) {
  const vhost = room.vhostOrFirst;
  const wanted = { filter: '', search: '' };
  const table = new ListTable({
    name: 'mqtt-retained',
    label: 'Retained messages',
    empty: 'No retained message has such a topic.',
    filters: false,
    keyOf: ({ topic }) => topic,
    load: async (query, signal) => pageOf(await room.api.get(path`/mqtt/retained/${vhost}`, { ...wanted, ...offsetOf(query), truncate: PREVIEW_BYTES }, { signal }), query),
    changed: () => room.refresh(),
    actions: [button('Add a retained message', { class: 'primary' }, () => edit(room, vhost, null))],
    columns: [
      { key: 'topic', title: 'Topic', draw: ({ topic }) => element('code', {}, topic) },
      { key: 'payload', title: 'Body', draw: (row) => element('code', { class: 'preview' }, bodyPreview(row)) },
      { key: 'size', title: 'Size', number: true, draw: (row) => sizeText(row.payload_bytes) },
      { key: 'qos', title: 'QoS', number: true, draw: ({ qos }) => String(qos) },
      { key: 'publisher', title: 'From', draw: ({ publisher }) => publisher },
      { key: 'retained_at', title: 'Since', draw: ({ retained_at: at }) => momentText(at) },
      { key: 'expires', title: 'Until', off: true, draw: ({ retained_at: at, expiration }) => (expiration === null ? 'for ever' : momentText(at + expiration)) },
      {
        key: 'actions',
        title: '',
        of: (row) => JSON.stringify(row),
        draw: (row) =>
          element('span', { class: 'card-actions' }, button('Change', { class: 'small' }, () => editWhole(room, vhost, row.topic)), deleteButton(room, { what: `the retained message of ${row.topic}`, address: path`/mqtt/retained/${vhost}/${row.topic}` })),
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

/** The list has the beginning of a body alone. */
async function editWhole(room, vhost, topic) {
  try {
    edit(room, vhost, await room.api.get(path`/mqtt/retained/${vhost}/${topic}`));
  } catch (error) {
    toast(error.message, 'bad');
  }
}

function edit(room, vhost, message) {
  const isText = message?.payload_encoding !== 'base64';
  openForm({
    title: message ? 'Change a retained message' : 'Add a retained message',
    about: message ? `${message.topic}; subscribers get what is saved.` : 'Subscribers get it, too.',
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
