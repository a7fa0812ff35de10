/** The broker at a glance: how much there is, how fast it moves, the node, where it listens; of a cluster the other nodes, and whose its shards are. */

import { link } from '../data/paths.js';
import { countText, durationText, rateText, shortText, sizeText } from '../data/units.js';
import { Chart } from '../views/chart.js';
import { ClusterCards } from '../views/cluster_cards.js';
import { badge, button, card, element, linkTo, setText } from '../views/dom.js';
import { Facts } from '../views/facts.js';
import { openForm } from '../views/form.js';
import { Meter } from '../views/meter.js';
import { plainTable } from '../views/plain_table.js';

const TILES = [
  ['connections', 'Connections', 'connections'],
  ['channels', 'Channels', 'channels'],
  ['exchanges', 'Exchanges', 'exchanges'],
  ['queues', 'Queues', 'queues'],
  ['consumers', 'Consumers', null],
];

const MESSAGES = [
  ['ready', 'Ready'],
  ['unacknowledged', 'Unacknowledged'],
  ['messages', 'Together'],
];

const RATES = [
  ['publish', 'Published'],
  ['deliver_get', 'Delivered'],
  ['ack', 'Acknowledged'],
  ['confirm', 'Confirmed'],
  ['redeliver', 'Redelivered'],
  ['return_unroutable', 'Returned'],
];

export function open(room) {
  const tiles = TILES.map((tile) => drawTile(tile));
  const messages = new Chart({ title: 'Messages in queues', series: MESSAGES, unit: countText });
  const rates = new Chart({ title: 'Messages per second', series: RATES, unit: rateText });
  const node = new NodeCard();
  const cluster = new ClusterCards();
  const facts = new Facts();
  const churn = element('div');
  const listeners = element('div');
  room.show(
    room.heading('Overview', { actions: room.may('administrator') ? [linkTo(link('definitions'), 'Export or import definitions', { class: 'button' })] : [] }),
    element('div', { class: 'tiles' }, ...tiles.map(({ place }) => place)),
    element('div', { class: 'columns' }, element('section', { class: 'box', 'aria-label': 'Messages in queues' }, messages.place), element('section', { class: 'box', 'aria-label': 'Messages per second' }, rates.place)),
    element('div', { class: 'columns' }, node.place, element('div', {}, card('Broker', { actions: room.may('administrator') ? [button('Rename', { class: 'small', 'aria-label': 'Rename the cluster' }, () => rename(room))] : [] }, facts.place), ...(room.may('monitoring') ? [card('Churn', { note: 'since the start' }, churn)] : []))),
    cluster.place,
    ...(room.may('monitoring') ? [card('Listeners', {}, listeners)] : []),
  );
  let refresh = () => {};
  const draw = () => {
    const { overview, nodes } = room.shell;
    if (!overview) {
      return;
    }
    tiles.forEach((tile) => tile.draw(overview));
    messages.draw(room.shell.trends.lengths);
    rates.draw(room.shell.trends.rates);
    // The one that answers comes first.
    node.draw(nodes[0]);
    if (cluster.drawNodes(nodes)) {
      refresh();
    }
    facts.show(factsOf(overview));
    drawChurn(churn, overview.churn_rates ?? {});
    drawListeners(listeners, overview.listeners ?? []);
  };
  addEventListener('warren-overview', draw, { signal: room.signal });
  draw();
  refresh = room.poll(async (signal) => {
    if (cluster.isThere) {
      cluster.drawShards(await room.api.get('/shards', {}, { signal }));
    }
  });
}

function rename(room) {
  openForm({
    title: 'Rename the cluster',
    about: 'Clients, federation links and dashboards are told this name.',
    submit: 'Rename',
    fields: [{ name: 'name', label: 'Name', required: true, value: room.shell.overview?.cluster_name ?? '' }],
    action: async ({ name }) => {
      await room.api.put('/cluster-name', { name });
      await room.shell.look();
      return `The cluster is ${name} now.`;
    },
  });
}

function drawTile([name, title, target]) {
  const figure = element('span', { class: 'tile-figure' }, '–');
  const content = [figure, element('span', { class: 'tile-title' }, title)];
  const place = target ? element('a', { class: 'tile', href: link(target) }, ...content) : element('div', { class: 'tile' }, ...content);
  return { place, draw: ({ object_totals: totals }) => setText(figure, shortText(totals[name] ?? 0)) };
}

function factsOf(overview) {
  return [
    ['Cluster', overview.cluster_name],
    ['Node', overview.node],
    ['Version', `${overview.product_name} ${overview.product_version}`],
    ['As RabbitMQ', overview.rabbitmq_version],
    ['Python', overview.python_version],
    ['Exchange types', overview.exchange_types.map(({ name }) => name).join(', ')],
  ];
}

const CHURN = [
  ['Connections', 'connection_created', 'connection_closed'],
  ['Channels', 'channel_created', 'channel_closed'],
  ['Queues', 'queue_created', 'queue_deleted'],
];

function drawChurn(place, rates) {
  const signature = JSON.stringify(rates);
  if (place.dataset.shows !== signature) {
    place.dataset.shows = signature;
    const rows = CHURN.map(([title, ...both]) => [title, ...both.flatMap((name) => [countText(rates[name] ?? 0), rateText(rates[`${name}_details`]?.rate ?? 0)])]);
    const titles = ['What', ...['Opened', 'per second', 'Closed', 'per second'].map((title) => ({ title, number: true }))];
    place.replaceChildren(plainTable('Churn', titles, rows));
  }
}

function drawListeners(place, listeners) {
  const signature = JSON.stringify(listeners);
  if (place.dataset.shows !== signature) {
    place.dataset.shows = signature;
    const rows = listeners.map(({ protocol, ip_address: address, port, tls }) => [protocol, address, String(port), tls ? badge('TLS', 'good') : '']);
    place.replaceChildren(plainTable('Listeners', ['Protocol', 'Address', { title: 'Port', number: true }, 'Encrypted'], rows));
  }
}

class NodeCard {
  #memory = new Meter('Memory');
  #disk = new Meter('Disk');
  #descriptors = new Meter('File descriptors');
  #facts = new Facts();
  #state = element('span');
  place = card('Node', { actions: [this.#state] }, element('div', { class: 'meters' }, this.#memory.place, this.#disk.place, this.#descriptors.place), this.#facts.place);

  draw(node) {
    this.place.hidden = !node;
    if (!node) {
      return;
    }
    const troubled = node.mem_alarm || node.disk_free_alarm;
    if (this.#state.textContent !== (troubled ? 'alarm' : 'running')) {
      this.#state.replaceChildren(badge(troubled ? 'alarm' : 'running', troubled ? 'bad' : 'good'));
    }
    this.#memory.draw(node.mem_used / node.mem_limit, `${sizeText(node.mem_used)} of ${sizeText(node.mem_limit)}`, node.mem_alarm);
    this.#disk.place.hidden = node.disk_free === null;
    if (node.disk_free !== null) {
      const limit = node.disk_free_limit ?? 0;
      this.#disk.draw(limit / Math.max(node.disk_free, limit, 1), `${sizeText(node.disk_free)} free, alarm below ${sizeText(limit)}`, node.disk_free_alarm);
    }
    this.#descriptors.draw(node.fd_used / node.fd_total, `${countText(node.fd_used)} of ${countText(node.fd_total)}`, false);
    this.#facts.show([
      ['Name', linkTo(link('nodes', node.name), node.name)],
      ['Up for', durationText(node.uptime)],
      ['Process', node.os_pid],
      ['Processors', String(node.processors)],
      ['Data', node.db_dir || 'in memory only'],
    ]);
  }
}
