/** Shovels: how each does, and what it is told to do. */

import { path } from '../data/paths.js';
import { countText, rateText } from '../data/units.js';
import { element } from '../views/dom.js';
import { deleteButton } from '../views/danger.js';
import { stateMark } from '../views/marks.js';
import { parameterTable } from '../views/parameters.js';
import { restartButton } from '../views/restart.js';
import { ListTable } from '../views/table.js';
import { rememberTab, tabs } from '../views/tabs.js';

const ENDS = [['queue', 'a queue'], ['exchange', 'an exchange']];

export const RESTART = '/shovels/vhost/{vhost}/{name}/restart';

export function open(room) {
  const status = statusTable(room);
  const parts = [['status', 'Status', element('div', {}, status.place), () => room.poll((signal) => status.update(signal))]];
  if (room.may('policymaker')) {
    const parameters = parameterTable(room, {
      component: 'shovel',
      noun: 'shovel',
      plural: 'Shovels',
      empty: 'No shovel is set here; those of the configuration file are under Status.',
      about: 'It moves messages from one queue or exchange to another, here or elsewhere. amqp:// alone is this broker.',
      fields: shovelFields,
      valueOf: shovelValue,
    });
    parts.push(['manage', 'Manage', element('div', {}, parameters.place), () => room.poll((signal) => parameters.update(signal))]);
  }
  room.show(room.heading('Shovels'), tabs('Shovels', parts, room.query.get('tab'), rememberTab));
}

function statusTable(room) {
  return new ListTable({
    name: 'shovels',
    label: 'Shovels',
    empty: 'There are no shovels.',
    keyOf: ({ vhost, name, type }) => `${type} ${vhost}/${name}`,
    load: (query, signal) => room.api.get(room.listPath('shovels'), { ...query, columns: '' }, { signal }),
    changed: () => room.refresh(),
    columns: [
      { key: 'name', title: 'Name', sort: 'name', draw: ({ name }) => element('b', {}, name) },
      { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
      { key: 'state', title: 'State', sort: 'state', draw: ({ state }) => stateMark(state) },
      { key: 'from', title: 'From', draw: (row) => end(row, 'src') },
      { key: 'to', title: 'To', draw: (row) => end(row, 'dest') },
      { key: 'forwarded', title: 'Moved', number: true, sort: 'forwarded', draw: ({ forwarded }) => countText(forwarded ?? 0) },
      { key: 'pending', title: 'Under way', number: true, draw: ({ pending }) => countText(pending ?? 0) },
      { key: 'rate', title: 'Rate', number: true, draw: ({ rate }) => (typeof rate === 'number' ? rateText(rate) : '') },
      { key: 'reason', title: 'Trouble', draw: ({ reason }) => (reason ? element('span', { class: 'form-error' }, reason) : '') },
      { key: 'type', title: 'Set by', off: true, draw: ({ type }) => (type === 'static' ? 'the configuration' : 'a parameter') },
      { key: 'actions', title: '', of: ({ vhost, name, type }) => `${type} ${vhost}/${name}`, draw: (row) => actions(room, row) },
    ],
  });
}

function end(row, side) {
  const names = ['queue', 'exchange', 'topics', 'topic', 'destination'].map((what) => [what, row[`${side}_${what}`]]).filter(([, name]) => name);
  const where = names.map(([what, name]) => `${what} ${name}`).join(', ');
  return element('span', {}, where || '…', element('div', { class: 'muted' }, row[`${side}_uri`] ?? ''));
}

function actions(room, { vhost, name, type }) {
  const restart = restartButton(room, { operation: RESTART, address: path`/shovels/vhost/${vhost}/${name}/restart`, what: `shovel ${name}` });
  const remove = type !== 'static' && room.may('policymaker') ? deleteButton(room, { what: `shovel ${name}`, address: path`/parameters/shovel/${vhost}/${name}`, about: 'Messages that it has not moved stay where they are.' }) : '';
  return element('span', { class: 'card-actions' }, restart, remove);
}

function shovelFields(value) {
  const given = Object.fromEntries(Object.entries(value).filter(([name]) => !OWN.includes(name)));
  return [
    { name: 'srcUri', label: 'From broker', required: true, value: uris(value['src-uri'] ?? 'amqp://') },
    { name: 'srcKind', label: 'from', kind: 'select', options: ENDS, value: value['src-exchange'] ? 'exchange' : 'queue' },
    { name: 'src', label: 'called', required: true, value: value['src-queue'] ?? value['src-exchange'] ?? '' },
    { name: 'srcKey', label: 'with key', value: value['src-exchange-key'] ?? '', hint: 'Of an exchange.' },
    { name: 'destUri', label: 'To broker', required: true, value: uris(value['dest-uri'] ?? 'amqp://') },
    { name: 'destKind', label: 'to', kind: 'select', options: ENDS, value: value['dest-exchange'] ? 'exchange' : 'queue' },
    { name: 'dest', label: 'called', required: true, value: value['dest-queue'] ?? value['dest-exchange'] ?? '' },
    { name: 'destKey', label: 'with key', value: value['dest-exchange-key'] ?? '', hint: 'Of an exchange; their own if it is empty.' },
    { name: 'ack', label: 'Acknowledge', kind: 'select', options: [['on-confirm', 'when the other end has it'], ['on-publish', 'when it is sent'], ['no-ack', 'at once']], value: value['ack-mode'] ?? 'on-confirm' },
    { name: 'prefetch', label: 'Under way at most', kind: 'number', min: 0, value: value['src-prefetch-count'] ?? '', placeholder: '1000' },
    { name: 'more', label: 'Other keys', kind: 'table', value: given, known: [['src-delete-after', 'text', 'queue-length', 'The shovel ends when it has moved what is there now'], ['reconnect-delay', 'number', '5', 'Seconds before it tries again'], ['src-filter', 'text', '', 'Which messages go over']] },
  ];
}

const OWN = ['src-uri', 'src-queue', 'src-exchange', 'src-exchange-key', 'dest-uri', 'dest-queue', 'dest-exchange', 'dest-exchange-key', 'ack-mode', 'src-prefetch-count'];

function uris(value) {
  return Array.isArray(value) ? value.join(' ') : value;
}

/** One URI, or a list of them. */
function uriValue(text) {
  const found = text.trim().split(/\s+/);
  return found.length > 1 ? found : found[0];
}

function shovelValue({ srcUri, srcKind, src, srcKey, destUri, destKind, dest, destKey, ack, prefetch, more }) {
  return {
    ...more,
    'src-uri': uriValue(srcUri),
    [`src-${srcKind}`]: src,
    ...(srcKind === 'exchange' && srcKey ? { 'src-exchange-key': srcKey } : {}),
    'dest-uri': uriValue(destUri),
    [`dest-${destKind}`]: dest,
    ...(destKind === 'exchange' && destKey ? { 'dest-exchange-key': destKey } : {}),
    'ack-mode': ack,
    ...(prefetch === null ? {} : { 'src-prefetch-count': prefetch }),
  };
}
