/** One user: tags, password, permissions, topic permissions, limits. */

import { USER_LIMITS } from '../data/limits.js';
import { link, path } from '../data/paths.js';
import { deleteButton } from '../views/danger.js';
import { badge, button, card, linkTo } from '../views/dom.js';
import { openForm } from '../views/form.js';
import { limitsCard } from '../views/limits_card.js';
import { permissionCards } from '../views/permissions.js';
import { tagFields, tagsOf } from './users.js';
import { Facts } from '../views/facts.js';

export async function open(room) {
  const { name } = room.names;
  const address = path`/users/${name}`;
  const first = await room.api.get(address, {}, { signal: room.signal });
  const facts = new Facts();
  const permissions = permissionCards(room, { user: name });
  const limits = limitsCard(room, { address: path`/user-limits/${name}`, names: USER_LIMITS });
  let user = first;
  room.show(
    room.heading(name, {
      over: linkTo(link('users'), 'Users'),
      marks: first.tags.map((tag) => badge(tag)),
      actions: [
        button('Change password', {}, () => changePassword(room, address, () => user)),
        button('Change tags', {}, () => changeTags(room, address, () => user)),
        deleteButton(room, {
          what: `user ${name}`,
          address,
          about: 'The user’s connections are closed.',
          back: link('users'),
          fields: [{ name: 'force', label: 'Even if it is the last administrator', kind: 'check' }],
        }),
      ],
    }),
    card('User', {}, facts.place),
    ...permissions.cards,
    limits.place,
  );
  room.poll(async (signal) => {
    user = await room.api.get(address, {}, { signal });
    facts.show([
      ['Tags', user.tags.join(', ') || 'none'],
      ['Password', user.password_hash ? `kept as ${user.hashing_algorithm.replace('rabbit_password_hashing_', '')}` : 'none: no login with a password'],
    ]);
    await Promise.all([permissions.update(signal), limits.update(signal)]);
  });
}

function changePassword(room, address, userOf) {
  openForm({
    title: 'Change the password',
    submit: 'Change it',
    fields: [
      { name: 'password', label: 'New password', kind: 'password', autocomplete: 'new-password' },
      { name: 'again', label: 'The same again', kind: 'password', autocomplete: 'new-password' },
      { name: 'none', label: 'No password', kind: 'check', hint: 'The user can’t log in with a password any more.' },
    ],
    action: async ({ password, again, none }) => {
      if (!none && password === '') {
        throw new Error('The password is empty.');
      }
      if (!none && password !== again) {
        throw new Error('The two passwords are not the same.');
      }
      await room.api.put(address, { ...(none ? { password_hash: '' } : { password }), tags: userOf().tags });
      await room.refresh();
      return 'The password is changed.';
    },
  });
}

function changeTags(room, address, userOf) {
  const { tags, password_hash: hash, hashing_algorithm: algorithm } = userOf();
  openForm({
    title: 'Change tags',
    submit: 'Change them',
    fields: tagFields(tags),
    action: async (values) => {
      await room.api.put(address, { password_hash: hash, hashing_algorithm: algorithm, tags: tagsOf(values, tags) });
      room.shell.enterAgain();
      return 'The tags are changed.';
    },
  });
}
