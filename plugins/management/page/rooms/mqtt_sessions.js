/** MQTT's sessions, connected or waiting for their clients. */

import { link } from '../data/paths.js';
import { countText } from '../data/units.js';
import { badge, linkTo } from '../views/dom.js';
import { ListTable } from '../views/table.js';

export function open(room) {
  const table = new ListTable({
    name: 'mqtt-sessions',
    label: 'MQTT sessions',
    empty: 'No MQTT client has a session.',
    keyOf: ({ vhost, client_id: client }) => `${vhost}/${client}`,
    load: (query, signal) => room.api.get(room.listPath('mqtt/sessions'), { ...query, columns: '' }, { signal }),
    changed: () => room.refresh(),
    columns: [
      { key: 'client_id', title: 'Client', sort: 'client_id', draw: ({ vhost, client_id: client }) => linkTo(link('mqtt', 'sessions', vhost, client), client) },
      { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
      { key: 'user', title: 'User', sort: 'user' },
      { key: 'connected', title: 'State', draw: ({ connected }) => (connected ? badge('connected', 'good') : badge('away')) },
      { key: 'subscriptions', title: 'Subscriptions', number: true, draw: ({ subscriptions }) => countText(Array.isArray(subscriptions) ? subscriptions.length : subscriptions ?? 0) },
      { key: 'messages', title: 'Messages', number: true, draw: ({ messages }) => countText(messages ?? 0) },
    ],
  });
  room.show(room.heading('MQTT sessions'), table.place);
  room.poll((signal) => table.update(signal));
}
