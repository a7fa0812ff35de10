/** One MQTT session: its client, its subscriptions, what waits for it; ending it. */

import { link, path } from '../data/paths.js';
import { deleteButton } from '../views/danger.js';
import { details } from '../views/details.js';
import { badge, card, element, linkTo } from '../views/dom.js';

export async function open(room) {
  const { vhost, name } = room.names;
  const address = path`/mqtt/sessions/${vhost}/${name}`;
  const first = await room.api.get(address, {}, { signal: room.signal });
  const facts = element('div');
  room.show(
    room.heading(name, {
      over: linkTo(link('mqtt', 'sessions'), `MQTT sessions in ${vhost}`),
      marks: [first.connected ? badge('connected', 'good') : badge('away')],
      actions: [
        deleteButton(room, {
          what: `the session of ${name}`,
          text: 'End the session',
          address,
          about: 'Its subscriptions and the messages that wait for it are gone; a client that is connected is disconnected.',
          back: link('mqtt', 'sessions'),
        }),
      ],
    }),
    card('Session', {}, facts),
  );
  let shown = '';
  room.poll(async (signal) => {
    const session = await room.api.get(address, {}, { signal });
    const signature = JSON.stringify(session);
    if (signature !== shown) {
      shown = signature;
      facts.replaceChildren(details(session, ['client_id']));
    }
  });
}
