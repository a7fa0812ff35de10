import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encodeText } from '../page/data/bytes.js';
import { MqttClient } from '../page/protocol/mqtt.js';

/** What the client under test has sent, by type, as the bytes of packets. */
class ToldSocket {
  static OPEN = 1;
  static last;
  readyState = ToldSocket.OPEN;
  sent = [];

  constructor() {
    ToldSocket.last = this;
  }

  send(bytes) {
    this.sent.push(bytes);
  }

  close() {}

  say(...bytes) {
    this.onmessage({ data: Uint8Array.from(bytes).buffer });
  }

  lose() {
    this.onclose({ code: 1006, reason: '' });
  }
}

globalThis.WebSocket = ToldSocket;

const PUBLISH_QOS_2 = [0x34, 6, 0, 1, 0x74, 0, 7, 0x78];

/** A client of MQTT 3.1.1 that has logged in; shown: the bodies of messages. */
function start(kept, { sessionPresent }) {
  const shown = [];
  const nothing = () => {};
  const events = { opened: nothing, wire: nothing, problem: nothing, closed: nothing, message: ({ body }) => shown.push(String.fromCharCode(...body)) };
  const client = new MqttClient({ url: 'ws://x', version: 4, clientId: 'c', intervalS: 0, sessionExpiryS: 60, kept }, events);
  client.open();
  const socket = ToldSocket.last;
  socket.onopen();
  socket.say(0x20, 2, sessionPresent ? 1 : 0, 0);
  return { client, socket, shown };
}

/** The identifier of the PUBLISH with QoS 2 that was sent last, to the topic “t”. */
function packetId({ socket }) {
  const packet = socket.sent.at(-1);
  assert.equal(packet[0], 0x34);
  return packet[5] * 256 + packet[6];
}

function publish({ client }) {
  return client.publish({ destination: 't', body: encodeText('x'), qos: 2, headers: [] });
}

test('a kept session does not take a new message for one that was lost', async () => {
  const kept = {};
  const first = start(kept, { sessionPresent: false });
  const lost = publish(first);
  const before = packetId(first);
  first.socket.lose();
  await assert.rejects(lost);
  const second = start(kept, { sessionPresent: true });
  publish(second);
  assert.equal(packetId(second), (before % 65535) + 1);
});

test('a message with QoS 2 is shown once, also when the connection is lost before it is done', () => {
  const kept = {};
  const first = start(kept, { sessionPresent: false });
  first.socket.say(...PUBLISH_QOS_2);
  assert.deepEqual(first.shown, ['x']);
  first.socket.lose();
  const second = start(kept, { sessionPresent: true });
  second.socket.say(0x3c, ...PUBLISH_QOS_2.slice(1));
  assert.deepEqual(second.shown, []);
  assert.deepEqual([...second.socket.sent.at(-1)], [0x50, 2, 0, 7]);
  second.socket.say(0x62, 2, 0, 7);
  second.socket.say(...PUBLISH_QOS_2);
  assert.deepEqual(second.shown, ['x']);
});

test('but in a new session the identifier is free', () => {
  const kept = {};
  start(kept, { sessionPresent: false }).socket.say(...PUBLISH_QOS_2);
  const second = start(kept, { sessionPresent: false });
  second.socket.say(...PUBLISH_QOS_2);
  assert.deepEqual(second.shown, ['x']);
});
