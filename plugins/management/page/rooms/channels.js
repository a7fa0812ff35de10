/** All channels that the user may see. */

import { link, path } from '../data/paths.js';
import { countText, rateText } from '../data/units.js';
import { linkTo } from '../views/dom.js';
import { stateMark } from '../views/marks.js';
import { ListTable } from '../views/table.js';

const rate = (name) => ({ message_stats: stats }) => rateText(stats?.[`${name}_details`]?.rate ?? 0);

export function modeOf({ transactional, confirm }) {
  return transactional ? 'transactions' : confirm ? 'confirms' : '';
}

const COLUMNS = [
  { key: 'name', title: 'Channel', sort: 'name', draw: ({ name }) => linkTo(link('channels', name), name) },
  { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
  { key: 'user', title: 'User', sort: 'user' },
  { key: 'mode', title: 'Mode', needs: ['transactional', 'confirm'], draw: modeOf },
  { key: 'state', title: 'State', draw: ({ state }) => stateMark(state) },
  { key: 'consumer_count', title: 'Consumers', number: true, sort: 'consumer_count' },
  { key: 'prefetch_count', title: 'Prefetch', number: true, sort: 'prefetch_count', draw: ({ prefetch_count: count }) => (count ? String(count) : '–') },
  { key: 'messages_unacknowledged', title: 'Unacked', number: true, sort: 'messages_unacknowledged', draw: (row) => countText(row.messages_unacknowledged) },
  { key: 'messages_unconfirmed', title: 'Unconfirmed', number: true, sort: 'messages_unconfirmed', draw: (row) => countText(row.messages_unconfirmed) },
  { key: 'publish', title: 'Published', needs: ['message_stats'], number: true, draw: rate('publish') },
  { key: 'deliver', title: 'Delivered', needs: ['message_stats'], number: true, draw: rate('deliver_get') },
  { key: 'ack', title: 'Acked', needs: ['message_stats'], number: true, off: true, draw: rate('ack') },
];

export function open(room) {
  const table = new ListTable({
    name: 'channels',
    label: 'Channels',
    columns: COLUMNS,
    empty: 'No channel is open.',
    keyOf: ({ name }) => name,
    load: (query, signal) => room.api.get(room.listPath('channels', (vhost) => path`/vhosts/${vhost}/channels`), query, { signal }),
    changed: () => refresh(),
  });
  room.show(room.heading('Channels'), table.place);
  const refresh = room.poll((signal) => table.update(signal));
}
