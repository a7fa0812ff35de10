/** The page: a session, the views of it, and what they remember. */

import { PROTOCOLS } from './protocol/protocols.js';
import { Session } from './protocol/session.js';
import * as settings from './settings.js';
import { ConnectionForm } from './views/connection.js';
import { byId, element } from './views/dom.js';
import { FeedView } from './views/feed.js';
import { Problems } from './views/problems.js';
import { PublishForm } from './views/publish.js';
import { listen } from './views/shortcuts.js';
import { drawCountdown, drawState } from './views/state.js';
import { SubscriptionsView } from './views/subscriptions.js';

/** How many destinations the fields suggest. */
const SUGGESTIONS_MAX = 20;

const remembered = settings.load();
const problems = new Problems(byId('problems'));
const byFamily = (name) => ({ stomp: [], mqtt: [], ...remembered[name] });
const subscriptionsOf = byFamily('subscriptions');
const destinationOf = { stomp: '', mqtt: '', ...remembered.destinations };
let suggestions = remembered.suggestions ?? [];

const session = new Session({
  state: drawSession,
  subscriptions: () => feed.redraw(),
  message: (message) => feed.message(message),
  wire: (direction, unit) => feed.wire(direction, session.protocol.entry(unit)),
  problem: (text) => problems.add(text),
  opened: onOpened,
  closed: (text) => text && problems.add(text, { passing: session.state === 'waiting' }),
});

const connection = new ConnectionForm({
  connect: (options) => {
    problems.clear();
    session.reconnects = connection.reconnects;
    session.connect(options);
  },
  disconnect: () => session.disconnect(),
  protocol: useProtocol,
  changed: () => {
    session.reconnects = connection.reconnects;
    remember();
  },
});

const subscriptions = new SubscriptionsView({
  add: (destination, mode, prefetch) => {
    session.add(destination, mode, prefetch);
    suggest(destination);
    remember();
  },
  remove: (subscription) => {
    session.remove(subscription);
    remember();
  },
});

const publishing = new PublishForm({
  publish: (message) => {
    suggest(message.destination);
    return session.publish(message);
  },
  changed: remember,
});

const feed = new FeedView({
  settle,
  draft: (message) => publishing.draft(message),
  copy: (text) => copy(text, 'Copied', 'Not allowed'),
  hint,
  drawn: () => subscriptions.draw(session.subscriptions),
});

function drawSession() {
  if (session.state === 'offline') {
    byId('connection-card').open = true;
  }
  drawState(session);
  connection.draw(session.state);
  feed.redraw();
}

/** Who has logged in from the form goes on to subscribe. */
function onOpened() {
  problems.clear();
  const card = byId('connection-card');
  if (card.contains(document.activeElement) || document.activeElement === document.body) {
    subscriptions.focus();
  }
  card.open = false;
}

function family() {
  return PROTOCOLS[connection.protocol].family;
}

/** Fits the forms to a protocol and brings back what was subscribed and published with it. */
function useProtocol(name) {
  const protocol = PROTOCOLS[name];
  for (const each of document.querySelectorAll('[data-for]')) {
    const fits = each.dataset.for.split(' ');
    each.hidden = !fits.includes(name) && !fits.includes(protocol.family);
  }
  byId('interval-label').textContent = protocol.intervalLabel;
  subscriptions.setProtocol(name);
  publishing.setProtocol(name);
  publishing.fill({ destination: destinationOf[protocol.family] });
  session.subscriptions = [];
  subscriptionsOf[protocol.family].forEach(({ destination, mode, prefetch }) => session.add(destination, mode, prefetch));
  feed.redraw();
}

function remember() {
  subscriptionsOf[family()] = session.subscriptions.map(({ destination, mode, prefetch }) => ({ destination, mode, prefetch }));
  destinationOf[family()] = publishing.destination;
  const { password, ...options } = connection.options();
  settings.save({
    connection: { ...options, reconnects: connection.reconnects },
    subscriptions: subscriptionsOf,
    destinations: destinationOf,
    suggestions,
    singleKeys: byId('single-keys').checked,
  });
}

function suggest(destination) {
  suggestions = [destination, ...suggestions.filter((each) => each !== destination)].slice(0, SUGGESTIONS_MAX);
  byId('destinations').replaceChildren(...suggestions.map((value) => element('option', { value })));
  remember();
}

async function settle(message, how) {
  try {
    await session.settle(message, how);
    message.settled = { ack: 'acknowledged', requeue: 'returned to its queue', reject: 'rejected' }[how];
    feed.refreshDetail(message);
  } catch (error) {
    problems.add(error.message);
  }
}

function hint(tab) {
  if (tab === 'wire') {
    return { title: 'Nothing on the wire', text: ['Every frame that goes to the broker or comes from it is listed here.'] };
  }
  const { example } = PROTOCOLS[connection.protocol];
  if (session.state !== 'online') {
    return { title: 'No messages yet', text: ['Connect, then subscribe to something such as ', { code: example }, '.'] };
  }
  return session.subscriptions.length
    ? { title: 'Waiting for messages', text: ['They are listed here as they arrive.'] }
    : { title: 'No messages yet', text: ['Subscribe to something such as ', { code: example }, '.'] };
}

/** Pages that come by plain HTTP from another machine may not use the clipboard; `otherwise` is said then. */
async function copy(text, done, otherwise) {
  const place = document.activeElement;
  try {
    await navigator.clipboard.writeText(text);
    flash(place, done);
  } catch {
    flash(place, otherwise);
  }
}

/** Says something on a button for a moment. */
function flash(place, text) {
  if (place instanceof HTMLButtonElement && !place.dataset.flashing) {
    const before = [...place.childNodes];
    place.dataset.flashing = 'true';
    place.replaceChildren(text);
    setTimeout(() => {
      delete place.dataset.flashing;
      place.replaceChildren(...before);
    }, 1500);
  }
}

function share() {
  const options = connection.options();
  const fragment = settings.toFragment({
    connection: options,
    subscriptions: session.subscriptions,
    destination: publishing.destination,
  });
  history.replaceState(null, '', fragment);
  copy(location.href, 'Link copied', 'It is in the address');
}

/** Takes over what a link says. It never connects by itself. */
function applyFragment() {
  const found = settings.fromFragment(location.hash, location.hostname);
  if (!found || session.state !== 'offline') {
    return;
  }
  if (!Object.hasOwn(PROTOCOLS, found.connection.protocol)) {
    found.connection.protocol = connection.protocol;
  }
  const { family: name, modes } = PROTOCOLS[found.connection.protocol];
  const [first] = modes;
  subscriptionsOf[name] = found.subscriptions.map((each) => ({ ...each, mode: modes.includes(each.mode) ? each.mode : first }));
  destinationOf[name] = found.destination;
  connection.fill(found.connection);
  useProtocol(found.connection.protocol);
}

function ownUrl() {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
}

function jumpTo(place) {
  if (place instanceof HTMLDetailsElement) {
    place.open = true;
  }
  place.scrollIntoView({ behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
}

function start() {
  byId('page-host').textContent = location.host;
  connection.fill({ url: ownUrl(), clientId: `warren-page-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}` });
  const { url, clientId, ...stored } = remembered.connection ?? {};
  connection.fill(Object.hasOwn(PROTOCOLS, stored.protocol) ? stored : {});
  if (settings.isOwn(url, location.hostname)) {
    connection.fill({ url });
  }
  byId('single-keys').checked = remembered.singleKeys ?? true;
  byId('destinations').append(...suggestions.map((value) => element('option', { value })));
  useProtocol(connection.protocol);
  applyFragment();
  addEventListener('hashchange', applyFragment);

  byId('retry').addEventListener('click', () => session.retry());
  byId('hang-up').addEventListener('click', () => session.disconnect());
  byId('share').addEventListener('click', share);
  byId('help').addEventListener('click', () => byId('help-dialog').showModal());
  byId('single-keys').addEventListener('change', remember);
  for (const each of document.querySelectorAll('[data-jump]')) {
    each.addEventListener('click', () => jumpTo(byId(each.dataset.jump)));
  }
  setInterval(() => drawCountdown(session), 1000);
  drawSession();
}

listen(
  {
    c: () => (session.state === 'offline' ? byId('connection').requestSubmit() : session.disconnect()),
    s: () => subscriptions.focus(),
    p: () => publishing.focus(),
    r: () => publishing.repeat(),
    m: () => feed.show('messages', true),
    w: () => feed.show('wire', true),
    k: () => feed.togglePause(),
    f: () => feed.toggleFollow(),
    x: () => feed.clear(),
    '/': () => byId('filter').focus(),
    '?': () => byId('help-dialog').showModal(),
    Escape: () => feed.closeDetail(),
  },
  () => byId('single-keys').checked,
);

start();
