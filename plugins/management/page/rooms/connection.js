/** One connection: who it is, what it does, its last frames decoded; closing it with a reason. */

import { Growth } from '../data/growth.js';
import { historyOf } from '../data/history.js';
import { link, path } from '../data/paths.js';
import { DATA_SPAN, rateSamples } from '../data/samples.js';
import { put } from '../data/trends.js';
import { durationText, momentText, sizeText } from '../data/units.js';
import { Chart } from '../views/chart.js';
import { badge, button, card, element, linkTo } from '../views/dom.js';
import { Facts, argumentList } from '../views/facts.js';
import { openForm } from '../views/form.js';
import { FrameList, WATCH_S } from '../views/frames.js';
import { stateMark } from '../views/marks.js';
import { plainTable } from '../views/plain_table.js';

const OCTETS = [
  ['recv_oct', 'From the client'],
  ['send_oct', 'To the client'],
];

const OCTET_NAMES = { recv_oct: 'recv_oct', send_oct: 'send_oct' };

export async function open(room) {
  const { name } = room.names;
  const address = path`/connections/${name}`;
  const first = await room.api.get(address, {}, { signal: room.signal });
  const octets = new Chart({ title: 'Bytes per second', series: OCTETS, unit: (rate) => `${sizeText(rate)}/s` });
  const growth = new Growth();
  const history = historyOf(`connection/${name}`);
  const facts = new Facts();
  const peer = new Facts();
  const channels = element('div');
  const hasFrames = room.offers.has('GET', '/connections/{name}/frames');
  const frames = new FrameList();
  room.show(
    room.heading(name, {
      over: linkTo(link('connections'), 'Connections'),
      marks: [badge(first.protocol), stateMark(first.state), ...(first.ssl ? [badge('TLS', 'good')] : [])],
      actions: [button('Close it', { class: 'danger-quiet' }, () => close(room, address, name))],
    }),
    element('div', { class: 'columns' }, card('Connection', {}, facts.place), card('The client says', {}, peer.place)),
    element('section', { class: 'box', 'aria-label': 'Bytes per second' }, octets.place),
    card('Channels', {}, channels),
    card('Last frames', { note: 'newest last' }, hasFrames ? frames.place : element('p', { class: 'muted' }, 'This broker’s API doesn’t offer the frames of a connection.')),
  );
  room.poll(async (signal) => {
    const connection = await room.api.get(address, DATA_SPAN, { signal });
    put(history, rateSamples(connection, OCTET_NAMES), Date.now(), growth.rates(connection, Object.keys(OCTET_NAMES), Date.now()));
    octets.draw(history);
    facts.show(factsOf(connection));
    peer.show(peerOf(connection));
    if (connection.protocol.includes('0-9')) {
      showChannels(channels, await room.api.get(`${address}/channels`, {}, { signal }));
    } else if (!channels.hasChildNodes()) {
      channels.append(element('p', { class: 'muted' }, `${connection.protocol} has no channels.`));
    }
  });
  if (hasFrames) {
    watchFrames(room, `${address}/frames`, frames);
  }
}

/** Who may see the connection needn't be one who may see its frames. */
function watchFrames(room, address, frames) {
  let refused = false;
  room.poll(async (signal) => {
    if (refused) {
      return;
    }
    try {
      frames.show(await room.api.get(address, { watch: WATCH_S }, { signal }));
    } catch (error) {
      // Nor be one of this node: another one keeps its frames itself.
      refused = [401, 403, 404].includes(error.status);
      if (!refused) {
        throw error;
      }
      frames.refuse(error.message);
    }
  });
}

function factsOf(connection) {
  return [
    ['User', connection.user],
    ['Virtual host', connection.vhost],
    ['Since', `${momentText(connection.connected_at)}, for ${durationText(Math.max(0, Date.now() - connection.connected_at))}`],
    ['Login by', connection.auth_mechanism],
    ['From', `${connection.peer_host}:${connection.peer_port}`],
    ['To', `${connection.host}:${connection.port}`],
    ['Received', `${sizeText(connection.recv_oct)}, ${sizeText(connection.recv_oct_details?.rate ?? 0)}/s`],
    ['Sent', `${sizeText(connection.send_oct)}, ${sizeText(connection.send_oct_details?.rate ?? 0)}/s`],
    ['Heart-beat', connection.timeout ? `${connection.timeout} s` : 'none'],
    ['Largest frame', connection.frame_max ? sizeText(connection.frame_max) : null],
    ['Channels at most', connection.channel_max ? String(connection.channel_max) : null],
    ['TLS', connection.ssl ? [connection.ssl_protocol, connection.ssl_cipher].filter(Boolean).join(', ') : null],
    ['Certificate of', connection.peer_cert_subject],
    ['Valid', connection.peer_cert_validity],
    ['Held back', connection.rate_limit ?? null],
  ];
}

function peerOf({ user_provided_name: given, client_properties: client }) {
  const { capabilities, ...properties } = client;
  const able = Object.entries(capabilities ?? {}).filter(([, value]) => value === true).map(([name]) => name);
  return [
    ['Name', given],
    ...Object.entries(properties).map(([name, value]) => [name.replaceAll('_', ' '), typeof value === 'object' ? argumentList(value) : String(value)]),
    ['Can', able.length ? able.join(', ') : null],
  ];
}

function showChannels(place, channels) {
  const rows = channels.map((each) => [
    linkTo(link('channels', each.name), String(each.number)),
    stateMark(each.state),
    String(each.consumer_count),
    String(each.messages_unacknowledged),
    String(each.prefetch_count || 'no limit'),
    each.transactional ? 'transactions' : each.confirm ? 'confirms' : '',
  ]);
  const signature = JSON.stringify(channels.map(({ message_stats: stats, ...rest }) => rest));
  if (place.dataset.shows !== signature) {
    place.dataset.shows = signature;
    const titles = ['Channel', 'State', { title: 'Consumers', number: true }, { title: 'Unacked', number: true }, { title: 'Prefetch', number: true }, 'Mode'];
    place.replaceChildren(rows.length ? plainTable('Channels', titles, rows) : element('p', { class: 'muted' }, 'None is open.'));
  }
}

function close(room, address, name) {
  openForm({
    title: 'Close this connection?',
    about: `${name}. The client is told why, and may connect again.`,
    submit: 'Close it',
    danger: true,
    fields: [{ name: 'reason', label: 'Reason', value: 'closed by an administrator', hint: 'The client reads it.' }],
    action: async ({ reason }) => {
      room.leave();
      try {
        await room.api.delete(address, {}, reason ? { 'x-reason': asHeader(reason) } : {});
      } catch (error) {
        room.shell.enterAgain();
        throw error;
      }
      room.go('connections');
      return 'The connection is closed.';
    },
  });
}

/** A header holds no other letters. */
function asHeader(text) {
  return text.replace(/[^\x20-\x7e]/g, '?').trim();
}
