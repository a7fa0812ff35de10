/** A node: what it uses and for what, what is enabled on it, and the configuration in effect. */

import { link, path } from '../data/paths.js';
import { historyOf } from '../data/history.js';
import { lengthSamples, NODE_SPAN } from '../data/samples.js';
import { put } from '../data/trends.js';
import { countText, durationText, sizeText } from '../data/units.js';
import { Chart } from '../views/chart.js';
import { badge, card, element, linkTo } from '../views/dom.js';
import { Facts, valueText } from '../views/facts.js';
import { plainTable } from '../views/plain_table.js';

const CHARTS = [
  { title: 'Memory', unit: sizeText, series: [['mem_used', 'Used']] },
  { title: 'Descriptors', unit: countText, series: [['fd_used', 'Files and sockets'], ['sockets_used', 'Clients']] },
];

/** What of memory isn't a part of it. */
const NO_PARTS = ['total', 'strategy'];

export async function open(room) {
  const name = room.names.node;
  const address = path`/nodes/${name}`;
  const first = await room.api.get(address, {}, { signal: room.signal });
  if (first.mem_used === undefined) {
    openOther(room, name, address, first);
    return;
  }
  const charts = CHARTS.map((each) => ({ chart: new Chart(each), history: historyOf(`node/${name}/${each.title}`), names: Object.fromEntries(each.series.map(([field]) => [field, field])) }));
  const facts = new Facts();
  const memory = new Facts();
  const able = new Facts();
  const troubled = first.mem_alarm || first.disk_free_alarm;
  const configuration = room.may('administrator') ? [card('Configuration in effect', { note: 'without secrets' }, await configurationOf(room))] : [];
  room.show(
    room.heading(name, { over: linkTo('#/', 'Overview'), marks: [badge(troubled ? 'alarm' : 'running', troubled ? 'bad' : 'good')] }),
    element('div', { class: 'columns' }, ...charts.map(({ chart }) => element('section', { class: 'box', 'aria-label': chart.title }, chart.place))),
    element('div', { class: 'columns' }, card('Node', {}, facts.place), card('Memory', { note: 'what it is used for' }, memory.place)),
    card('What it can do', {}, able.place),
    ...configuration,
  );
  room.poll(async (signal) => {
    const [node, used] = await Promise.all([room.api.get(address, NODE_SPAN, { signal }), room.api.get(`${address}/memory`, {}, { signal })]);
    for (const { chart, history, names } of charts) {
      put(history, lengthSamples(node, names), Date.now(), Object.fromEntries(Object.keys(names).map((field) => [field, node[field]])));
      chart.draw(history);
    }
    facts.show(factsOf(node));
    memory.show(memoryFacts(used.memory));
    able.show([
      ['Plugins', node.enabled_plugins.length ? linkTo(link('plugins'), node.enabled_plugins.join(', ')) : 'none'],
      ['Exchange types', node.exchange_types.map((each) => each.name).join(', ')],
      ['Logins by', node.auth_mechanisms.map((each) => each.name).join(', ')],
    ]);
  });
}

/** Another node of a cluster than the one that is asked: what it says of itself to the others. */
function openOther(room, name, address, first) {
  const facts = new Facts();
  const state = first.running ? badge('running', 'good') : badge('down', 'bad');
  room.show(
    room.heading(name, { over: linkTo('#/', 'Overview'), marks: [state] }),
    card('Node', { note: 'another one than this; what it uses is shown by its own page' }, facts.place),
  );
  room.poll(async (signal) => facts.show(otherFactsOf(await room.api.get(address, {}, { signal }))));
}

function otherFactsOf(node) {
  return [
    ['State', node.being_drained ? 'gives its shards away' : node.running ? 'in the cluster' : 'not in the cluster just now'],
    ['Up for', node.uptime === undefined ? null : durationText(node.uptime)],
    ['Shards', node.shards === undefined ? null : String(node.shards)],
    ['Version', node.applications?.map(({ description, version }) => `${description} ${version}`).join(', ')],
  ];
}

function factsOf(node) {
  return [
    ['Up for', durationText(node.uptime)],
    ['Process', node.os_pid],
    ['Processors', String(node.processors)],
    ['Data', node.db_dir || 'in memory only'],
    ['Memory', `${sizeText(node.mem_used)}, publishers wait from ${sizeText(node.mem_limit)} on`],
    ['Disk', node.disk_free === null ? null : `${sizeText(node.disk_free)} free, publishers wait below ${sizeText(node.disk_free_limit ?? 0)}`],
    ['Descriptors', `${countText(node.fd_used)} of ${countText(node.fd_total)}`],
    ['Clients', countText(node.sockets_used)],
    ['Tasks', countText(node.proc_used)],
    ['Version', node.applications.map(({ description, version }) => `${description} ${version}`).join(', ')],
    ['Log', node.log_files.map((file) => (file === '<stderr>' ? 'standard error' : file)).join(', ')],
  ];
}

const PARTS = {
  queue_procs: 'Classic queues',
  quorum_queue_procs: 'Quorum queues',
  plugins: 'Other queues',
  retained_messages: 'Retained messages',
  other_system: 'Everything else',
};

function memoryFacts(memory) {
  const parts = Object.entries(memory).filter(([name, size]) => !NO_PARTS.includes(name) && typeof size === 'number');
  return [['Together', sizeText(memory.total.rss)], ...parts.map(([name, size]) => [PARTS[name] ?? name, sizeText(size)])];
}

async function configurationOf(room) {
  const found = await room.api.get('/config/effective', {}, { signal: room.signal });
  const rows = Object.entries(found)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => [element('code', {}, key), element('code', {}, value === null ? '' : valueText(value))]);
  return element('details', {}, element('summary', {}, `${countText(rows.length)} keys`), plainTable('Configuration in effect', ['Key', 'Value'], rows));
}
