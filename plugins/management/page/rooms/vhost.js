/** One virtual host: how full it is, who may enter it, its limits; export and import of what is in it. */

import { VHOST_LIMITS } from '../data/limits.js';
import { link, path } from '../data/paths.js';
import { SPAN } from '../data/samples.js';
import { Trends } from '../data/trends.js';
import { countText, rateText } from '../data/units.js';
import { Chart } from '../views/chart.js';
import { deleteButton } from '../views/danger.js';
import { badge, button, card, element, linkTo, setText } from '../views/dom.js';
import { Facts } from '../views/facts.js';
import { openForm } from '../views/form.js';
import { limitsCard } from '../views/limits_card.js';
import { permissionCards } from '../views/permissions.js';
import { toast } from '../views/toasts.js';
import { vhostBody, vhostFields } from './vhosts.js';

const MESSAGES = [
  ['ready', 'Ready'],
  ['unacknowledged', 'Unacknowledged'],
  ['messages', 'Together'],
];

const RATES = [
  ['publish', 'Published'],
  ['deliver_get', 'Delivered'],
  ['ack', 'Acknowledged'],
];

export async function open(room) {
  const { name } = room.names;
  const address = path`/vhosts/${name}`;
  let vhost = await room.api.get(address, {}, { signal: room.signal });
  const administers = room.may('administrator');
  const facts = new Facts();
  const trends = new Trends(`vhost/${name}`, RATES.map(([rate]) => rate));
  const messages = new Chart({ title: 'Messages', series: MESSAGES, unit: countText });
  const rates = new Chart({ title: 'Messages per second', series: RATES, unit: rateText });
  const permissions = administers ? permissionCards(room, { vhost: name }) : { cards: [], update: () => null };
  const limits = limitsCard(room, { address: path`/vhost-limits/${name}`, names: VHOST_LIMITS });
  const protection = button('', {}, () => protect(room, address, !vhost.protected_from_deletion));
  const showProtection = () => setText(protection, vhost.protected_from_deletion ? 'Allow deletion' : 'Protect from deletion');
  showProtection();
  const actions = administers
    ? [
        button('Change', {}, () => change(room, address, () => vhost)),
        protection,
        deleteButton(room, { what: `virtual host ${name}`, address, about: 'Everything in it is deleted: queues with their messages, exchanges, policies, permissions. Its connections are closed.', back: link('vhosts') }),
      ]
    : [];
  room.show(
    room.heading(name, { over: linkTo(link('vhosts'), 'Virtual hosts'), marks: (vhost.tags ?? []).map((tag) => badge(tag)), actions }),
    element('div', { class: 'columns' }, element('section', { class: 'box', 'aria-label': 'Messages' }, messages.place), element('section', { class: 'box', 'aria-label': 'Rates' }, rates.place)),
    card('Virtual host', {}, facts.place),
    ...permissions.cards,
    limits.place,
  );
  room.poll(async (signal) => {
    vhost = await room.api.get(address, SPAN, { signal });
    trends.add(vhost, vhost.message_stats ?? {}, Date.now());
    showProtection();
    messages.draw(trends.lengths);
    rates.draw(trends.rates);
    facts.show([
      ['Description', vhost.description],
      ['Default queue type', vhost.default_queue_type],
      ['Firehose', vhost.tracing ? 'on: copies go to amq.rabbitmq.trace' : 'off'],
      ['Deletion', vhost.protected_from_deletion ? badge('protected', 'good') : 'possible'],
      ['State', Object.entries(vhost.cluster_state ?? {}).map(([node, state]) => `${state} on ${node}`).join(', ')],
    ]);
    await Promise.all([permissions.update(signal), limits.update(signal)]);
  });
}

async function protect(room, address, isProtected) {
  try {
    await room.api.request(isProtected ? 'POST' : 'DELETE', `${address}/deletion/protection`);
    await room.refresh();
    toast(isProtected ? 'The virtual host can’t be deleted now.' : 'The virtual host can be deleted again.');
  } catch (error) {
    toast(error.message, 'bad');
  }
}

function change(room, address, vhostOf) {
  openForm({
    title: 'Change the virtual host',
    submit: 'Save',
    fields: vhostFields(vhostOf()),
    action: async (values) => {
      await room.api.put(address, vhostBody(values));
      room.shell.enterAgain();
      return 'The virtual host is changed.';
    },
  });
}
