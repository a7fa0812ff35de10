/** One channel: its state, how fast it moves, its consumers. */

import { link, path } from '../data/paths.js';
import { SPAN } from '../data/samples.js';
import { Trends } from '../data/trends.js';
import { countText, rateText } from '../data/units.js';
import { Chart } from '../views/chart.js';
import { ConsumerList } from '../views/consumers.js';
import { card, element, linkTo } from '../views/dom.js';
import { Facts } from '../views/facts.js';
import { stateMark } from '../views/marks.js';
import { modeOf } from './channels.js';

const RATES = [
  ['publish', 'Published'],
  ['deliver_get', 'Delivered'],
  ['ack', 'Acknowledged'],
  ['confirm', 'Confirmed'],
  ['redeliver', 'Redelivered'],
  ['return_unroutable', 'Returned'],
];

export async function open(room) {
  const { name } = room.names;
  const address = path`/channels/${name}`;
  const first = await room.api.get(address, {}, { signal: room.signal });
  const trends = new Trends(`channel/${name}`, RATES.map(([rate]) => rate));
  const rates = new Chart({ title: 'Messages per second', series: RATES, unit: rateText });
  const facts = new Facts();
  const consumers = new ConsumerList({ of: 'queue', nothing: 'Nothing is consumed on it.' });
  room.show(
    room.heading(name, { over: linkTo(link('channels'), 'Channels'), marks: [stateMark(first.state)] }),
    element('div', { class: 'columns' }, element('section', { class: 'box', 'aria-label': 'Rates' }, rates.place), card('Channel', {}, facts.place)),
    card('Consumers', {}, consumers.place),
  );
  room.poll(async (signal) => {
    const channel = await room.api.get(address, SPAN, { signal });
    const all = await room.api.get(path`/consumers/${channel.vhost}`, {}, { signal });
    trends.add({}, channel.message_stats ?? {}, Date.now());
    rates.draw(trends.rates);
    facts.show(factsOf(channel));
    consumers.show(all.filter(({ channel_details: details }) => details.name === name));
  });
}

function factsOf(channel) {
  const connection = channel.connection_details.name;
  return [
    ['Connection', linkTo(link('connections', connection), connection)],
    ['User', channel.user],
    ['Virtual host', channel.vhost],
    ['Mode', modeOf(channel) || 'plain'],
    ['Prefetch of each consumer', channel.prefetch_count ? countText(channel.prefetch_count) : 'no limit'],
    ['Prefetch of the channel', channel.global_prefetch_count ? countText(channel.global_prefetch_count) : 'no limit'],
    ['Unacknowledged', countText(channel.messages_unacknowledged)],
    ['Unconfirmed', countText(channel.messages_unconfirmed)],
    ['Uncommitted', channel.transactional ? `${countText(channel.messages_uncommitted)} messages, ${countText(channel.acks_uncommitted)} acknowledgements` : null],
  ];
}
