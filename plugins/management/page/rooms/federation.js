/** Federation: how each link does, and the upstreams that policies name. */

import { path } from '../data/paths.js';
import { countText } from '../data/units.js';
import { element } from '../views/dom.js';
import { valueText } from '../views/facts.js';
import { stateMark } from '../views/marks.js';
import { parameterTable } from '../views/parameters.js';
import { restartButton } from '../views/restart.js';
import { ListTable } from '../views/table.js';
import { rememberTab, tabs } from '../views/tabs.js';

const RESTART = '/federation-links/vhost/{vhost}/{id}/{node}/restart';

export function open(room) {
  const status = statusTable(room);
  const parts = [['status', 'Links', element('div', {}, status.place), () => room.poll((signal) => status.update(signal))]];
  if (room.may('policymaker')) {
    const upstreams = parameterTable(room, {
      component: 'federation-upstream',
      noun: 'upstream',
      plural: 'Upstreams',
      empty: 'There are no upstreams.',
      about: 'Another broker. Policies with federation-upstream or federation-upstream-set say what is federated with it.',
      fields: upstreamFields,
      valueOf: upstreamValue,
    });
    const sets = parameterTable(room, {
      component: 'federation-upstream-set',
      noun: 'upstream set',
      plural: 'Upstream sets',
      empty: 'There are no upstream sets.',
      about: 'Several upstreams by one name.',
      draw: drawSet,
      fields: (value) => [{ name: 'set', label: 'Upstreams, one in each line', kind: 'area', required: true, value: linesOf(value), hint: 'A name; or JSON, which may change something of it: {"upstream": "centre", "exchange": "other"}' }],
      valueOf: ({ set }) => parsedSet(set),
    });
    parts.push(['upstreams', 'Upstreams', element('div', {}, upstreams.place), () => room.poll((signal) => upstreams.update(signal))]);
    parts.push(['sets', 'Upstream sets', element('div', {}, sets.place), () => room.poll((signal) => sets.update(signal))]);
  }
  room.show(room.heading('Federation'), tabs('Federation', parts, room.query.get('tab'), rememberTab));
}

function statusTable(room) {
  return new ListTable({
    name: 'federation-links',
    label: 'Federation links',
    empty: 'There are no links: a policy says what is federated, and with which upstream.',
    filters: false,
    keyOf: ({ id }) => id,
    load: (query, signal) => room.api.get(room.listPath('federation-links'), { ...query, columns: '' }, { signal }),
    changed: () => room.refresh(),
    columns: [
      { key: 'here', title: 'Here', draw: ({ type, exchange, queue }) => element('span', {}, element('b', {}, exchange || queue), element('span', { class: 'muted' }, ` ${type}`)) },
      { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
      { key: 'upstream', title: 'Upstream', sort: 'upstream', draw: ({ upstream, uri }) => element('span', {}, upstream, element('div', { class: 'muted' }, uri ?? '')) },
      { key: 'there', title: 'There', draw: (row) => row.upstream_exchange || row.upstream_queue || '' },
      { key: 'status', title: 'State', sort: 'status', draw: ({ status }) => stateMark(status) },
      { key: 'forwarded', title: 'Moved', number: true, draw: ({ forwarded }) => (forwarded === undefined ? '' : countText(forwarded)) },
      { key: 'error', title: 'Trouble', draw: ({ error }) => (error ? element('span', { class: 'form-error' }, error) : '') },
      { key: 'timestamp', title: 'Since', off: true },
      {
        key: 'actions',
        title: '',
        of: ({ id }) => id,
        draw: ({ vhost, id, node, upstream }) => restartButton(room, { operation: RESTART, address: path`/federation-links/vhost/${vhost}/${id}/${node}/restart`, what: `the link to ${upstream}` }) || '',
      },
    ],
  });
}

const OWN = ['uri', 'exchange', 'queue', 'max-hops', 'ack-mode'];

function upstreamFields(value) {
  const given = Object.fromEntries(Object.entries(value).filter(([name]) => !OWN.includes(name)));
  return [
    { name: 'uri', label: 'URI', required: true, value: Array.isArray(value.uri) ? value.uri.join(' ') : value.uri ?? '', placeholder: 'amqp://user:password@host', hint: 'Several with blanks between.' },
    { name: 'exchange', label: 'Exchange there', value: value.exchange ?? '', hint: 'The same name as here, if it is empty.' },
    { name: 'queue', label: 'Queue there', value: value.queue ?? '', hint: 'The same name as here, if it is empty.' },
    { name: 'hops', label: 'Links at most', kind: 'number', min: 1, value: value['max-hops'] ?? '', placeholder: '1' },
    { name: 'ack', label: 'Acknowledge', kind: 'select', options: [['on-confirm', 'when it is safe here'], ['on-publish', 'when it is published here'], ['no-ack', 'at once']], value: value['ack-mode'] ?? 'on-confirm' },
    { name: 'more', label: 'Other keys', kind: 'table', value: given, known: [['prefetch-count', 'number', '1000', 'Messages under way at most'], ['expires', 'number', '3600000', 'Milliseconds after which the queue there goes if no link comes'], ['message-ttl', 'number', '60000', 'Milliseconds after which messages expire there'], ['reconnect-delay', 'number', '5', 'Seconds before it tries again']] },
  ];
}

function upstreamValue({ uri, exchange, queue, hops, ack, more }) {
  const found = uri.trim().split(/\s+/);
  return { ...more, uri: found.length > 1 ? found : found[0], ...(exchange ? { exchange } : {}), ...(queue ? { queue } : {}), ...(hops === null ? {} : { 'max-hops': hops }), 'ack-mode': ack };
}

/** The entries of a set as lines that can be typed. */
function linesOf(value) {
  const entries = Array.isArray(value) ? value : [];
  return entries.map((entry) => (Object.keys(entry).length === 1 && entry.upstream ? entry.upstream : JSON.stringify(entry))).join('\n');
}

function parsedSet(text) {
  const lines = text.split('\n').map((line) => line.trim()).filter(Boolean);
  return lines.map((line) => {
    if (!line.startsWith('{')) {
      return { upstream: line };
    }
    try {
      return JSON.parse(line);
    } catch (error) {
      throw new Error(`This line is no JSON: ${line} (${error.message})`);
    }
  });
}

function drawSet(value) {
  const entries = Array.isArray(value) ? value : [];
  const items = entries.map(({ upstream, ...others }) => element('li', {}, element('b', {}, upstream ?? '?'), ...Object.entries(others).map(([name, each]) => element('span', { class: 'muted' }, ` ${name} ${valueText(each)}`))));
  return element('ul', { class: 'plain' }, ...items);
}
