/** The state of the connection, in the bar. */

import { byId } from './dom.js';

const WORDS = { offline: 'Not connected', connecting: 'Connecting', online: 'Connected', waiting: 'Connection lost' };

/** Shows a session's state. The countdown is for the eye alone: a screen reader shouldn't count along. */
export function drawState(session) {
  const { state } = session;
  byId('state').dataset.state = state;
  setText(byId('state-text'), WORDS[state]);
  setText(byId('state-about'), state === 'online' ? session.about : '');
  byId('retry').hidden = state !== 'waiting';
  byId('hang-up').hidden = state === 'offline';
  byId('hang-up').textContent = state === 'online' ? 'Disconnect' : 'Cancel';
  drawCountdown(session);
}

/** To be called about once a second. */
export function drawCountdown(session) {
  const seconds = Math.max(0, Math.ceil((session.retryAt - performance.now()) / 1000));
  setText(byId('countdown'), session.state === 'waiting' ? `retry in ${seconds} s` : '');
}

/** Only a change is announced. */
function setText(place, text) {
  if (place.textContent !== text) {
    place.textContent = text;
  }
}
