/** All limits of virtual hosts and of users. Each is changed in the room of what it is of. */

import { USER_LIMITS, VHOST_LIMITS, limitText } from '../data/limits.js';
import { link } from '../data/paths.js';
import { card, element, linkTo } from '../views/dom.js';
import { plainTable } from '../views/plain_table.js';

export function open(room) {
  const vhosts = element('div');
  const users = element('div');
  room.show(room.heading('Limits'), card('Of virtual hosts', {}, vhosts), card('Of users', {}, users));
  room.poll(async (signal) => {
    const [ofVhosts, ofUsers] = await Promise.all([room.api.get(room.listPath('vhost-limits'), {}, { signal }), room.api.get('/user-limits', {}, { signal })]);
    show(vhosts, 'Virtual host', 'vhosts', ofVhosts.map(({ vhost, value }) => [vhost, value]), VHOST_LIMITS);
    show(users, 'User', 'users', ofUsers.map(({ user, value }) => [user, value]), USER_LIMITS);
  });
}

function show(place, title, list, limits, names) {
  const signature = JSON.stringify(limits);
  if (place.dataset.shows === signature) {
    return;
  }
  place.dataset.shows = signature;
  const rows = limits.map(([name, value]) => [linkTo(link(list, name), name), ...names.map((limit) => (value[limit] >= 0 ? String(value[limit]) : 'no limit'))]);
  const nothing = element('p', { class: 'nothing' }, 'There are none. They are set in the room of a ', linkTo(link(list), title.toLowerCase()), '.');
  place.replaceChildren(rows.length ? plainTable(title, [title, ...names.map((limit) => ({ title: limitText(limit), number: true }))], rows) : nothing);
}
