/** Messages that exchanges keep until they are due: when each goes, and cancelling it. */

import { offsetOf, pageOf } from '../data/pages.js';
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
    load: async (query, signal) => pageOf(await room.api.get(room.listPath('delayed'), offsetOf(query), { signal }), query),
    changed: () => room.refresh(),
    columns: [
      { key: 'exchange', title: 'Exchange', draw: ({ vhost, exchange }) => linkTo(link('exchanges', vhost, exchange), exchange) },
      { key: 'vhost', title: 'Virtual host' },
      { key: 'routing_key', title: 'Key', draw: (row) => element('code', {}, row.routing_key ?? '(can’t be read)') },
      { key: 'due', title: 'Due', draw: (row) => momentText(row.deliver_at) },
      { key: 'in', title: 'In', number: true, draw: (row) => durationText(Math.max(0, row.deliver_at - Date.now())) },
      { key: 'message_id', title: 'Message id', draw: ({ message_id: id }) => id ?? '' },
      { key: 'size', title: 'Size', number: true, draw: (row) => sizeText(row.payload_bytes) },
      {
        key: 'actions',
        title: '',
        of: ({ id }) => id,
        draw: ({ vhost, exchange, id, deliver_at: at }) => deleteButton(room, { what: `the message that is due ${momentText(at)}`, text: 'Cancel', address: path`/delayed/${vhost}/${exchange}/${id}`, about: 'It is dropped, and never goes to a queue.' }),
      },
    ],
  });
  room.show(room.heading('Delayed messages'), table.place);
  room.poll((signal) => table.update(signal));
}
