/** The page of the WebSocket listeners, as it is at its own address, with this login filled in. */

import { chosenTheme } from '../views/theme.js';
import { element, linkTo } from '../views/dom.js';

export function open(room) {
  const place = element('div', {}, element('p', { class: 'muted' }, 'Looking for a WebSocket listener …'));
  room.show(room.heading('WebSocket client'), place);
  let shown = false;
  const draw = () => {
    const { overview } = room.shell;
    if (!overview || shown) {
      return;
    }
    shown = true;
    const url = addressOf(overview.listeners);
    place.replaceChildren(...(url === null ? without() : [frameOf(room, url)]));
  };
  addEventListener('warren-overview', draw, { signal: room.signal });
  draw();
}

/** Of a WebSocket listener; '' where this user isn't told of listeners, null where there is none. */
function addressOf(listeners) {
  if (!listeners) {
    return '';
  }
  const secure = location.protocol === 'https:';
  const found = listeners.filter(({ protocol }) => protocol.startsWith('http/web') || protocol.startsWith('auto')).find(({ tls }) => tls === secure);
  return found ? `${secure ? 'wss' : 'ws'}://${location.hostname.includes(':') ? `[${location.hostname}]` : location.hostname}:${found.port}/ws` : null;
}

function without() {
  return [
    element('div', { class: 'box empty-room' }, element('p', {}, 'The client connects to a WebSocket listener, and this broker has none that this page may use.'), element('p', { class: 'muted' }, 'Start it with another listener, such as --listen ws=*:15674.')),
  ];
}

function frameOf(room, url) {
  const { name } = room.shell.who;
  const settings = new URLSearchParams({ user: name, vhost: room.vhostOrFirst, ...(url ? { url } : {}) });
  const frame = element('iframe', { class: 'live-frame', title: 'WebSocket client', src: `live/#${settings}` });
  frame.addEventListener('load', () => {
    const inner = frame.contentDocument;
    applyTheme(inner);
    inner.documentElement.dataset.embedded = '';
    const password = inner.querySelector('#connection [name=password]');
    if (password) {
      password.value = room.shell.password;
    }
  });
  addEventListener('warren-theme', () => applyTheme(frame.contentDocument), { signal: room.signal });
  const own = url ? linkTo(url.replace(/^ws/, 'http').replace(/ws$/, ''), 'It has an address of its own', { target: '_blank', rel: 'noreferrer' }) : '';
  return element('div', {}, frame, element('p', { class: 'hint' }, own));
}

function applyTheme(inner) {
  const theme = chosenTheme();
  if (theme) {
    inner.documentElement.dataset.theme = theme;
  } else {
    delete inner.documentElement.dataset.theme;
  }
}
