/** MQTT's sessions, connected or waiting for their clients. */

import { link } from '../data/paths.js';
import { countText, momentText } from '../data/units.js';
import { badge, linkTo } from '../views/dom.js';
import { ListTable } from '../views/table.js';

export function connectedMark({ connected }) {
  return connected ? badge('connected', 'good') : badge('away');
}

const COLUMNS = [
  { key: 'client_id', title: 'Client', needs: ['client_id', 'vhost'], sort: 'client_id', draw: ({ vhost, client_id: client }) => linkTo(link('mqtt', 'sessions', vhost, client), client || '(no name)') },
  { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
  { key: 'user', title: 'User', sort: 'user' },
  { key: 'connected', title: 'State', sort: 'connected', draw: connectedMark },
  { key: 'persistent', title: 'Outlives it', draw: ({ persistent }) => (persistent ? 'yes' : 'no'), about: 'Whether it is there after its connection' },
  { key: 'subscriptions', title: 'Subscriptions', number: true, sort: 'subscriptions', draw: (row) => countText(row.subscriptions) },
  { key: 'messages_ready', title: 'Waiting', number: true, sort: 'messages_ready', draw: (row) => countText(row.messages_ready) },
  { key: 'messages_unacknowledged', title: 'Unacked', number: true, sort: 'messages_unacknowledged', draw: (row) => countText(row.messages_unacknowledged) },
  { key: 'expires_at', title: 'Ends', off: true, draw: ({ expires_at: at }) => (at ? momentText(at) : '') },
];

export function open(room) {
  const table = new ListTable({
    name: 'mqtt-sessions',
    label: 'MQTT sessions',
    columns: COLUMNS,
    empty: 'No MQTT client has a session.',
    keyOf: ({ vhost, client_id: client }) => `${vhost}/${client}`,
    load: (query, signal) => room.api.get(room.listPath('mqtt/sessions'), query, { signal }),
    changed: () => refresh(),
  });
  room.show(room.heading('MQTT sessions'), table.place);
  const refresh = room.poll((signal) => table.update(signal));
}
