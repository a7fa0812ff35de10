/** All virtual hosts that the user may see, and a form for a new one. */

import { link, path } from '../data/paths.js';
import { countText } from '../data/units.js';
import { badge, button, element, linkTo } from '../views/dom.js';
import { openForm } from '../views/form.js';
import { ListTable } from '../views/table.js';

const COLUMNS = [
  { key: 'name', title: 'Name', sort: 'name', draw: ({ name }) => linkTo(link('vhosts', name), name) },
  { key: 'description', title: 'Description' },
  { key: 'tags', title: 'Tags', draw: ({ tags }) => element('span', { class: 'marks' }, ...(tags ?? []).map((tag) => badge(tag))) },
  { key: 'default_queue_type', title: 'Default queue type' },
  { key: 'tracing', title: 'Firehose', draw: ({ tracing }) => (tracing ? badge('on', 'info') : 'off') },
  { key: 'protected_from_deletion', title: 'Deletion', draw: ({ protected_from_deletion: isProtected }) => (isProtected ? badge('protected', 'good') : 'possible') },
  { key: 'messages_ready', title: 'Ready', number: true, draw: (row) => countText(row.messages_ready ?? 0) },
  { key: 'messages_unacknowledged', title: 'Unacked', number: true, draw: (row) => countText(row.messages_unacknowledged ?? 0) },
];

export function open(room) {
  const table = new ListTable({
    name: 'vhosts',
    label: 'Virtual hosts',
    columns: COLUMNS,
    empty: 'There is none that you may enter.',
    keyOf: ({ name }) => name,
    load: (query, signal) => room.api.get('/vhosts', query, { signal }),
    changed: () => refresh(),
  });
  const actions = room.may('administrator') ? [button('Add a virtual host', { class: 'primary' }, () => add(room))] : [];
  room.show(room.heading('Virtual hosts', { actions }), table.place);
  const refresh = room.poll((signal) => table.update(signal));
}

/** The fields that a virtual host has beside its name. vhost: as it is, or null. */
export function vhostFields(vhost) {
  return [
    { name: 'description', label: 'Description', value: vhost?.description ?? '' },
    { name: 'tags', label: 'Tags', value: (vhost?.tags ?? []).join(', '), hint: 'With commas between.' },
    { name: 'type', label: 'Default queue type', kind: 'select', options: [...(vhost?.default_queue_type ? [] : [['', 'not set: classic']]), 'classic', 'quorum', 'stream'], value: vhost?.default_queue_type ?? '' },
    { name: 'tracing', label: 'Firehose', kind: 'check', value: vhost?.tracing, hint: 'A copy of every message goes to amq.rabbitmq.trace.' },
    { name: 'isProtected', label: 'Protected from deletion', kind: 'check', value: vhost?.protected_from_deletion, hint: 'Nobody can delete it until this is lifted.' },
  ];
}

export function vhostBody({ description, tags, type, tracing, isProtected }) {
  return { description, tags: tags.split(',').map((tag) => tag.trim()).filter(Boolean), ...(type ? { default_queue_type: type } : {}), tracing, protected_from_deletion: isProtected };
}

function add(room) {
  openForm({
    title: 'Add a virtual host',
    submit: 'Add it',
    fields: [{ name: 'name', label: 'Name', required: true }, ...vhostFields(null)],
    action: async ({ name, ...values }) => {
      if (room.vhosts.includes(name)) {
        throw new Error(`There is a virtual host ${name} already.`);
      }
      await room.api.put(path`/vhosts/${name}`, vhostBody(values));
      await Promise.all([room.refresh(), room.shell.reloadVhosts()]);
      return `Virtual host ${name} is there.`;
    },
  });
}
