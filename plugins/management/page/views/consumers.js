/** Consumers of a queue, or of a channel. */

import { link } from '../data/paths.js';
import { badge, element, linkTo } from './dom.js';
import { argumentList } from './facts.js';
import { stateMark } from './marks.js';
import { plainTable } from './plain_table.js';

export class ConsumerList {
  place = element('div');
  #shown = '';

  /** of: 'channel' or 'queue', which end of them is to be shown. */
  constructor({ of, nothing }) {
    Object.assign(this, { of, nothing });
  }

  show(consumers) {
    const signature = JSON.stringify(consumers);
    if (signature === this.#shown) {
      return;
    }
    this.#shown = signature;
    const rows = consumers.map((each) => [
      this.of === 'channel' ? channelLink(each.channel_details) : linkTo(link('queues', each.queue.vhost, each.queue.name), each.queue.name),
      element('code', {}, each.consumer_tag),
      each.ack_required ? 'by the consumer' : 'at once',
      String(each.prefetch_count || 'no limit'),
      element('span', { class: 'marks' }, stateMark(each.activity_status ?? (each.active ? 'up' : 'waiting')), each.exclusive ? badge('exclusive') : ''),
      argumentList(each.arguments),
    ]);
    const titles = [this.of === 'channel' ? 'Channel' : 'Queue', 'Tag', 'Acknowledged', { title: 'Prefetch', number: true }, 'State', 'Arguments'];
    this.place.replaceChildren(rows.length ? plainTable('Consumers', titles, rows) : element('p', { class: 'nothing' }, this.nothing));
  }
}

/** AMQP's channels have rooms; a consumer of another protocol belongs to its connection. */
function channelLink({ name, number, connection_name: connection, user }) {
  const target = number ? linkTo(link('channels', name), name) : linkTo(link('connections', connection), connection || name);
  return element('span', {}, target, element('span', { class: 'muted' }, ` ${user}`));
}
