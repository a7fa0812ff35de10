/** One MQTT session: its client, its subscriptions, what waits for it; ending it. */

import { link, path } from '../data/paths.js';
import { countText, durationText, momentText } from '../data/units.js';
import { deleteButton } from '../views/danger.js';
import { card, element, linkTo } from '../views/dom.js';
import { Facts } from '../views/facts.js';
import { plainTable } from '../views/plain_table.js';
import { connectedMark } from './mqtt_sessions.js';

export async function open(room) {
  const { vhost, name } = room.names;
  const address = path`/mqtt/sessions/${vhost}/${name}`;
  const first = await room.api.get(address, {}, { signal: room.signal });
  const facts = new Facts();
  const subscriptions = element('div');
  room.show(
    room.heading(name, {
      over: linkTo(link('mqtt', 'sessions'), `MQTT sessions in ${vhost}`),
      marks: [connectedMark(first)],
      actions: [
        deleteButton(room, {
          what: `the session of ${name}`,
          text: 'End the session',
          address,
          about: 'Its subscriptions and the messages that wait for it are lost; a client that is connected is disconnected.',
          back: link('mqtt', 'sessions'),
        }),
      ],
    }),
    card('Session', {}, facts.place),
    card('Subscriptions', {}, subscriptions),
  );
  room.poll(async (signal) => {
    const [session, found] = await Promise.all([room.api.get(address, {}, { signal }), room.api.get(`${address}/subscriptions`, {}, { signal })]);
    facts.show(factsOf(session));
    showSubscriptions(subscriptions, found, vhost);
  });
}

function factsOf(session) {
  const { expiry_interval: expiry } = session;
  return [
    ['State', connectedMark(session)],
    ['User', session.user],
    ['Connection', session.connection ? linkTo(link('connections', session.connection), session.connection) : null],
    ['Outlives its connection', session.persistent ? (expiry === null ? 'for ever' : `for ${durationText(expiry * 1000)}`) : 'no'],
    ['Away since', session.disconnected_at ? momentText(session.disconnected_at) : null],
    ['Ends', session.expires_at ? momentText(session.expires_at) : null],
    ['Queue', session.queue ? linkTo(link('queues', session.vhost, session.queue), session.queue) : null],
    ['Waiting', countText(session.messages_ready)],
    ['Unacknowledged', countText(session.messages_unacknowledged)],
    ['Unreleased', session.messages_unreleased ? countText(session.messages_unreleased) : null],
    ['Last will', session.has_will ? 'yes' : 'none'],
  ];
}

function showSubscriptions(place, found, vhost) {
  const signature = JSON.stringify(found);
  if (place.dataset.shows === signature) {
    return;
  }
  place.dataset.shows = signature;
  const rows = found.map((each) => [
    element('code', {}, each.topic_filter),
    String(each.qos),
    each.group,
    [each.no_local && 'not the own', each.retain_as_published && 'retain as published', each.identifier && `identifier ${each.identifier}`].filter(Boolean).join(', '),
    each.queue ? linkTo(link('queues', vhost, each.queue), each.queue) : '',
  ]);
  const titles = ['Topic filter', { title: 'QoS', number: true }, 'Shared by', 'Options', 'Queue'];
  place.replaceChildren(rows.length ? plainTable('Subscriptions', titles, rows) : element('p', { class: 'nothing' }, 'It is subscribed to nothing.'));
}
