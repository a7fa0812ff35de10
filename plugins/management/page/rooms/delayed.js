/** Messages that exchanges keep until they are due: when each goes, and cancelling it. */

import { link, path } from '../data/paths.js';
import { durationText, momentText, sizeText } from '../data/units.js';
import { element, linkTo } from '../views/dom.js';
import { deleteButton } from '../views/danger.js';
import { ListTable } from '../views/table.js';

export function open(room) {
  const table = new ListTable({
    name: 'delayed',
    label: 'Delayed messages',
    empty: 'No message is waiting. An exchange of type x-delayed-message keeps those with a header x-delay.',
    filters: false,
    keyOf: ({ vhost, exchange, id }) => `${vhost}/${exchange}/${id}`,
    load: (query, signal) => room.api.get(room.listPath('delayed'), { page: query.page, page_size: query.page_size }, { signal }),
    changed: () => room.refresh(),
    columns: [
      { key: 'exchange', title: 'Exchange', draw: ({ vhost, exchange }) => linkTo(link('exchanges', vhost, exchange), exchange) },
      { key: 'vhost', title: 'Virtual host' },
      { key: 'routing_key', title: 'Key', draw: (row) => element('code', {}, row.routing_key ?? '(can’t be read)') },
      { key: 'due', title: 'Due', draw: (row) => momentText(dueAt(row)) },
      { key: 'in', title: 'In', number: true, draw: (row) => durationText(Math.max(0, dueAt(row) - Date.now())) },
      { key: 'message_id', title: 'Message id', draw: ({ message_id: id }) => id ?? '' },
      { key: 'size', title: 'Size', number: true, draw: (row) => sizeText(row.body_bytes ?? row.payload_bytes ?? 0) },
      {
        key: 'actions',
        title: '',
        of: ({ id }) => id,
        draw: ({ vhost, exchange, id }) => deleteButton(room, { what: `the message with key ${id}`, text: 'Cancel', address: path`/delayed/${vhost}/${exchange}/${id}`, about: 'It is dropped, and never goes to a queue.' }),
      },
    ],
  });
  room.show(room.heading('Delayed messages'), table.place);
  room.poll((signal) => table.update(signal));
}

function dueAt(row) {
  return row.due_at ?? row.due_at_ms ?? row.due;
}
