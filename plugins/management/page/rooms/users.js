/** All users, and a form for a new one. */

import { link, path } from '../data/paths.js';
import { badge, button, element, linkTo } from '../views/dom.js';
import { openForm } from '../views/form.js';
import { ListTable } from '../views/table.js';

export const TAGS = [
  ['management', 'sees what is in the virtual hosts that it may enter'],
  ['policymaker', 'and changes policies and parameters there'],
  ['monitoring', 'and sees all connections and the node'],
  ['administrator', 'may do everything'],
];

const COLUMNS = [
  { key: 'name', title: 'Name', sort: 'name', draw: ({ name }) => linkTo(link('users', name), name) },
  { key: 'tags', title: 'Tags', draw: ({ tags }) => element('span', { class: 'marks' }, ...tags.map((tag) => badge(tag, tag === 'administrator' ? 'info' : ''))) },
  { key: 'password', title: 'Password', needs: ['password_hash'], draw: ({ password_hash: hash }) => (hash ? 'yes' : badge('none', 'warn')) },
  { key: 'limits', title: 'Limits', draw: ({ limits }) => Object.entries(limits).map(([name, value]) => `${name} ${value}`).join(', ') },
];

export function open(room) {
  const table = new ListTable({
    name: 'users',
    label: 'Users',
    columns: COLUMNS,
    empty: 'There are no users.',
    keyOf: ({ name }) => name,
    load: (query, signal) => room.api.get('/users', query, { signal }),
    changed: () => refresh(),
  });
  room.show(room.heading('Users', { actions: [button('Add a user', { class: 'primary' }, () => add(room))] }), table.place);
  const refresh = room.poll((signal) => table.update(signal));
}

/** A field for each tag. */
export function tagFields(tags) {
  return TAGS.map(([tag, about]) => ({ name: tag, label: tag, kind: 'check', value: tags.includes(tag), hint: about }));
}

/** The tags that are ticked, and those that this page knows nothing of. */
export function tagsOf(values, before = []) {
  const known = TAGS.map(([tag]) => tag);
  return [...before.filter((tag) => !known.includes(tag)), ...known.filter((tag) => values[tag])];
}

function add(room) {
  openForm({
    title: 'Add a user',
    submit: 'Add the user',
    fields: [
      { name: 'name', label: 'Name', required: true },
      { name: 'password', label: 'Password', kind: 'password', autocomplete: 'new-password', hint: 'Without one, the user can’t log in with a password.' },
      ...tagFields([]),
      { name: 'enters', label: 'May do everything in', kind: 'select', options: [['', 'no virtual host yet'], ...room.vhosts.map((name) => [name, name])] },
    ],
    action: async ({ name, password, enters, ...tags }) => {
      const known = await room.api.get('/users', { columns: 'name' });
      if (known.some((each) => each.name === name)) {
        throw new Error(`There is a user ${name} already.`);
      }
      await room.api.put(path`/users/${name}`, { ...(password ? { password } : { password_hash: '' }), tags: tagsOf(tags) });
      if (enters) {
        await room.api.put(path`/permissions/${enters}/${name}`, { configure: '.*', write: '.*', read: '.*' });
      }
      await room.refresh();
      return `User ${name} is there.`;
    },
  });
}
