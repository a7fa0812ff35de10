/** All connections that the user may see. */

import { link, path } from '../data/paths.js';
import { durationText, momentText, rateText, sizeText } from '../data/units.js';
import { badge, element, linkTo } from '../views/dom.js';
import { stateMark } from '../views/marks.js';
import { ListTable } from '../views/table.js';

/** Of another node's connections only that node knows how fast they are. */
const octets = (name) => (row) => (row[`${name}_details`] ? `${sizeText(row[`${name}_details`].rate ?? 0)}/s` : '–');

const COLUMNS = [
  { key: 'name', title: 'Name', needs: ['name', 'user_provided_name', 'client_properties'], sort: 'name', draw: nameOf },
  { key: 'node', title: 'Node', off: true, about: 'Of a cluster, the one that it is connected to' },
  { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
  { key: 'user', title: 'User', sort: 'user' },
  { key: 'protocol', title: 'Protocol', sort: 'protocol', whole: true },
  { key: 'state', title: 'State', draw: ({ state }) => stateMark(state) },
  { key: 'ssl', title: 'TLS', draw: ({ ssl }) => (ssl ? badge('TLS', 'good') : '') },
  { key: 'channels', title: 'Channels', number: true, sort: 'channels' },
  { key: 'recv', title: 'From client', needs: ['recv_oct_details'], number: true, draw: octets('recv_oct') },
  { key: 'send', title: 'To client', needs: ['send_oct_details'], number: true, draw: octets('send_oct') },
  { key: 'client', title: 'Client', needs: ['client_properties'], draw: ({ client_properties: client }) => [client.product, client.version].filter(Boolean).join(' ') },
  { key: 'connected_at', title: 'Since', sort: 'connected_at', off: true, draw: ({ connected_at: at }) => momentText(at) },
  { key: 'for', title: 'For', needs: ['connected_at'], off: true, draw: ({ connected_at: at }) => durationText(Math.max(0, Date.now() - at)) },
];

function nameOf({ name, user_provided_name: given }) {
  const target = linkTo(link('connections', name), name);
  return given ? element('span', {}, target, element('div', { class: 'muted' }, given)) : target;
}

export function open(room) {
  const table = new ListTable({
    name: 'connections',
    label: 'Connections',
    columns: COLUMNS,
    empty: 'Nobody is connected.',
    keyOf: ({ name }) => name,
    load: (query, signal) => room.api.get(room.listPath('connections', (vhost) => path`/vhosts/${vhost}/connections`), query, { signal }),
    changed: () => refresh(),
  });
  room.show(room.heading('Connections'), table.place);
  const refresh = room.poll((signal) => table.update(signal));
}
