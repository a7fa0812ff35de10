/** Runtime parameters of a component (shovels, upstreams): listed, set, removed. */

import { path } from '../data/paths.js';
import { button, element } from './dom.js';
import { deleteButton } from './danger.js';
import { argumentList } from './facts.js';
import { openForm } from './form.js';
import { ListTable } from './table.js';

/**
 * component: in the API. noun: what one of them is called. fields(value): of the form, without virtual host and name.
 * valueOf(values, before): what is set. draw(value): how a list shows it, without passwords.
 */
export function parameterTable(room, { component, noun, plural, empty, about, fields, valueOf, draw = argumentList }) {
  const edit = (parameter) =>
    openForm({
      title: parameter ? `Change ${noun} ${parameter.name}` : `Add ${article(noun)} ${noun}`,
      about,
      submit: 'Save',
      fields: [
        ...(parameter
          ? []
          : [
              { name: 'vhost', label: 'Virtual host', kind: 'select', options: room.vhosts, value: room.vhostOrFirst },
              { name: 'name', label: 'Name', required: true },
            ]),
        ...fields(parameter?.value ?? {}),
      ],
      action: async ({ vhost, name, ...values }) => {
        const which = parameter ?? { vhost, name };
        await room.api.put(path`/parameters/${component}/${which.vhost}/${which.name}`, { value: valueOf(values, parameter?.value ?? {}) });
        await room.refresh();
        return `${noun.charAt(0).toUpperCase()}${noun.slice(1)} ${which.name} is saved.`;
      },
    });
  return new ListTable({
    name: `parameters-${component}`,
    label: plural,
    empty,
    keyOf: ({ vhost, name }) => `${vhost}/${name}`,
    load: (query, signal) => room.api.get(room.vhost ? path`/parameters/${component}/${room.vhost}` : path`/parameters/${component}`, query, { signal }),
    changed: () => room.refresh(),
    actions: [button(`Add ${article(noun)} ${noun}`, { class: 'primary' }, () => edit(null))],
    columns: [
      { key: 'name', title: 'Name', sort: 'name', draw: ({ name }) => element('b', {}, name) },
      { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
      { key: 'value', title: 'Value', draw: ({ value }) => draw(withoutPasswords(value)) },
      {
        key: 'actions',
        title: '',
        needs: ['value'],
        of: (row) => JSON.stringify(row),
        draw: (row) =>
          element('span', { class: 'card-actions' }, button('Change', { class: 'small', 'aria-label': `Change ${noun} ${row.name}` }, () => edit(row)), deleteButton(room, { what: `${noun} ${row.name}`, address: path`/parameters/${component}/${row.vhost}/${row.name}` })),
      },
    ],
  });
}

function article(noun) {
  return /^[aeiou]/.test(noun) ? 'an' : 'a';
}

/** A value with its URIs as they may be shown to whoever looks over a shoulder. */
export function withoutPasswords(value) {
  if (typeof value === 'string') {
    return value.replace(/(\w+:\/\/[^/\s:@]*):[^@/\s]*@/g, '$1:…@');
  }
  if (Array.isArray(value)) {
    return value.map(withoutPasswords);
  }
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withoutPasswords(each)]));
  }
  return value;
}
