import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PROTOCOLS } from '../page/protocol/protocols.js';
import { Session } from '../page/protocol/session.js';

/** A session with clients that do what the test says. */
function start() {
  const clients = [];
  PROTOCOLS.told = {
    make: (options, events) => {
      const client = { events, asked: [], open() {}, close() { this.asked.push('close'); }, async subscribe({ destination }) { this.asked.push(destination); return 'yes'; } };
      clients.push(client);
      return client;
    },
  };
  const said = [];
  const nothing = () => {};
  const session = new Session({ state: nothing, subscriptions: nothing, message: nothing, wire: nothing, problem: nothing, opened: nothing, closed: (text) => said.push(text) });
  return { session, clients, said };
}

const LOST = { text: 'lost', refused: false };

/** A test in which time passes only by `tick`, in milliseconds. */
function timed(run) {
  return async () => {
    const { setTimeout, clearTimeout } = globalThis;
    performance.now = () => now;
    const due = new Map();
    let now = 0;
    globalThis.setTimeout = (action, delay) => due.set(due.size + 1, { action, at: now + delay }).size;
    globalThis.clearTimeout = (identifier) => due.get(identifier) && due.set(identifier, null);
    const tick = (milliseconds) => {
      now += milliseconds;
      for (const [identifier, timer] of due) {
        if (timer && timer.at <= now) {
          due.set(identifier, null);
          timer.action();
        }
      }
    };
    try {
      await run(tick);
    } finally {
      Object.assign(globalThis, { setTimeout, clearTimeout });
      delete performance.now;
    }
  };
}

test('what was online once comes back, ever more slowly, with its subscriptions', timed(async (tick) => {
  const { session, clients } = start();
  session.connect({ protocol: 'told' });
  await session.add('a', 'auto');
  clients[0].events.opened('');
  assert.deepEqual(clients[0].asked, ['a']);
  for (const [attempt, delay] of [[1, 1000], [2, 2000], [3, 4000], [4, 8000], [5, 16000], [6, 30000], [7, 30000]]) {
    clients.at(-1).events.closed(LOST);
    assert.equal(session.state, 'waiting');
    tick(delay - 1);
    assert.equal(clients.length, attempt);
    tick(delay * 0.2 + 2);
    assert.equal(clients.length, attempt + 1);
  }
  clients.at(-1).events.opened('');
  assert.equal(session.state, 'online');
  assert.deepEqual(clients.at(-1).asked, ['a']);
  tick(9_000);
  clients.at(-1).events.closed(LOST);
  tick(20_000);
  assert.equal(session.state, 'waiting');
  tick(20_000);
  assert.equal(session.state, 'connecting');
  clients.at(-1).events.opened('');
  tick(11_000);
  clients.at(-1).events.closed(LOST);
  tick(1300);
  assert.equal(session.state, 'connecting');
}));

test('a subscription that was refused is not tried again by itself, only when somebody connects', timed(async (tick) => {
  const { session, clients } = start();
  session.connect({ protocol: 'told' });
  clients[0].subscribe = async () => { throw new Error('no such queue'); };
  clients[0].events.opened('');
  await session.add('missing', 'auto');
  clients[0].events.closed(LOST);
  tick(1300);
  clients[1].events.opened('');
  assert.deepEqual([clients[1].asked, session.subscriptions[0].note], [[], 'no such queue']);
  session.connect({ protocol: 'told' });
  clients[2].events.opened('');
  assert.deepEqual(clients[2].asked, ['missing']);
}));

test('what never was online, or was refused, or is told not to, stays offline', timed(async (tick) => {
  for (const { opened, refused, reconnects } of [
    { opened: false, refused: false, reconnects: true },
    { opened: true, refused: true, reconnects: true },
    { opened: true, refused: false, reconnects: false },
  ]) {
    const { session, clients, said } = start();
    session.reconnects = reconnects;
    session.connect({ protocol: 'told' });
    if (opened) {
      clients[0].events.opened('');
    }
    clients[0].events.closed({ text: 'no', refused });
    tick(100_000);
    assert.deepEqual([session.state, clients.length, said], ['offline', 1, ['no']]);
  }
}));

test('disconnecting ends it, also while waiting, and the old client has no say any more', timed(async (tick) => {
  const { session, clients, said } = start();
  session.connect({ protocol: 'told' });
  clients[0].events.opened('');
  session.disconnect();
  assert.deepEqual([session.state, clients[0].asked], ['offline', ['close']]);
  clients[0].events.closed(LOST);
  assert.deepEqual([session.state, said], ['offline', []]);
  session.connect({ protocol: 'told' });
  clients[1].events.opened('');
  clients[1].events.closed(LOST);
  session.disconnect();
  tick(100_000);
  assert.deepEqual([session.state, clients.length], ['offline', 2]);
}));

test('a refused subscription says why and the session goes on', timed(async (tick) => {
  const { session, clients } = start();
  session.connect({ protocol: 'told' });
  clients[0].subscribe = async () => { throw new Error('0x87 Not authorized'); };
  clients[0].events.opened('');
  await session.add('secret', '1');
  const [{ status, note }] = session.subscriptions;
  assert.deepEqual([status, note, session.state], ['failed', '0x87 Not authorized', 'online']);
}));

test('publishing while offline is an error', async () => {
  const { session } = start();
  await assert.rejects(session.publish({}), /Not connected/);
});
