import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ByteReader, ByteWriter, concat, encodeText, parseHex } from '../page/data/bytes.js';
import { encodePacket, MqttMalformed, MqttParser } from '../page/protocol/mqtt_codec.js';
import { readProperties, writeProperties } from '../page/protocol/mqtt_properties.js';
import { readVariable, VARIABLE_MAX, writeVariable } from '../page/protocol/mqtt_values.js';
import { chance, cuts } from './cutting.js';

function parse(version, ...pieces) {
  const parser = new MqttParser(version);
  return pieces.flatMap((piece) => parser.push(piece));
}

const hexadecimal = (bytes) => Buffer.from(bytes).toString('hex');

/** A packet without `raw`, its bytes as plain arrays. */
function plain({ raw, ...packet }) {
  return JSON.parse(JSON.stringify(packet, (_, value) => (value instanceof Uint8Array ? [...value] : value)));
}

const PUBLISH = {
  type: 'publish',
  topic: 'größer/😀',
  qos: 2,
  retain: true,
  duplicate: true,
  packetId: 65535,
  properties: {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 4294967295,
    contentType: 'text/plain',
    responseTopic: 'answers',
    correlationData: Uint8Array.of(0, 255),
    userProperties: [['a', '1'], ['a', '2']],
    subscriptionIdentifiers: [1, VARIABLE_MAX],
    topicAlias: 7,
  },
  payload: Uint8Array.of(0, 1, 2),
};

const SMALL = { type: 'publish', topic: 'a', qos: 0, retain: false, duplicate: false, packetId: 0, properties: {}, payload: encodeText('x'.repeat(200)) };

test('packets come out as they went in, however they are cut', () => {
  const packets = [PUBLISH, SMALL, { type: 'puback', packetId: 5, reasonCode: 0, properties: {} }, { type: 'pubrec', packetId: 6, reasonCode: 0x97, properties: {} }];
  const stream = concat(packets.map((packet) => encodePacket(packet, 5)));
  for (const pieces of cuts(stream)) {
    assert.deepEqual(parse(5, ...pieces).map(plain), packets.map(plain));
  }
});

test('3.1.1 has no properties and no reasons', () => {
  const packet = { ...PUBLISH, properties: {} };
  assert.deepEqual(plain(parse(4, encodePacket(packet, 4))[0]), plain(packet));
  assert.equal(hexadecimal(encodePacket({ type: 'disconnect', reasonCode: 4 }, 4)), 'e000');
  assert.equal(hexadecimal(encodePacket({ type: 'pubrel', packetId: 1, reasonCode: 0x92 }, 4)), '62020001');
});

const SENT = [
  [{ type: 'connect', clientId: 'c', clean: true, keepAlive: 60 }, 4, '100d00044d5154540402003c000163'],
  [{ type: 'connect', clientId: 'c', clean: false, keepAlive: 0, username: 'u', password: 'p', properties: { sessionExpiryInterval: 1 } }, 5,
    '101900044d51545405c000000511000000010001630001750001' + '70'],
  [{ type: 'subscribe', packetId: 1, subscriptions: [{ filter: 'a/#', qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 }] }, 5, '820900010000' + '03612f232d'],
  [{ type: 'subscribe', packetId: 1, subscriptions: [{ filter: 'a', qos: 2, retainAsPublished: true }] }, 4, '8206000100016102'],
  [{ type: 'unsubscribe', packetId: 256, filters: ['a', 'b'] }, 5, 'a20901000000016100' + '0162'],
  [{ type: 'pingreq' }, 5, 'c000'],
  [{ type: 'disconnect' }, 5, 'e000'],
  [{ type: 'disconnect', reasonCode: 4 }, 5, 'e0020400'],
  [{ type: 'pubrel', packetId: 2 }, 5, '62020002'],
];

for (const [packet, version, expected] of SENT) {
  test(`sent: ${packet.type} of version ${version}, ${expected}`, () => {
    assert.equal(hexadecimal(encodePacket(packet, version)), expected);
  });
}

const RECEIVED = [
  ['20020100', 4, { type: 'connack', sessionPresent: true, reasonCode: 0, properties: {} }],
  ['20020005', 4, { type: 'connack', sessionPresent: false, reasonCode: 5, properties: {} }],
  ['2006000003210005', 5, { type: 'connack', sessionPresent: false, reasonCode: 0, properties: { receiveMaximum: 5 } }],
  ['40020001', 5, { type: 'puback', packetId: 1, reasonCode: 0, properties: {} }],
  ['4003000110', 5, { type: 'puback', packetId: 1, reasonCode: 16, properties: {} }],
  ['40080001970' + '41f000178', 5, { type: 'puback', packetId: 1, reasonCode: 0x97, properties: { reasonString: 'x' } }],
  ['9003000280', 4, { type: 'suback', packetId: 2, properties: {}, reasonCodes: [128] }],
  ['90050002000102', 5, { type: 'suback', packetId: 2, properties: {}, reasonCodes: [1, 2] }],
  ['b0020003', 4, { type: 'unsuback', packetId: 3, properties: {}, reasonCodes: [] }],
  ['b00400030011', 5, { type: 'unsuback', packetId: 3, properties: {}, reasonCodes: [17] }],
  ['d000', 5, { type: 'pingresp' }],
  ['e000', 5, { type: 'disconnect', reasonCode: 0, properties: {} }],
  ['e0018e', 5, { type: 'disconnect', reasonCode: 0x8e, properties: {} }],
];

for (const [bytes, version, expected] of RECEIVED) {
  test(`received: ${bytes} of version ${version}`, () => {
    for (const pieces of cuts(parseHex(bytes))) {
      assert.deepEqual(parse(version, ...pieces).map(plain), [expected]);
    }
  });
}

const MALFORMED = {
  'QoS 3': ['36050001610001', 5],
  'a topic longer than the packet': ['3003000561', 5],
  'a topic that is not UTF-8': ['30040001ff00', 5],
  'no packet identifier': ['3203000161', 4],
  'a property that does not exist': ['3006000161027f00', 5],
  'a property twice': ['3008000161040101' + '0101', 5],
  'properties longer than the packet': ['300400016105', 5],
  'a length of five bytes': ['30ffffffff01', 5],
  'wrong flags': ['42020001', 5],
  'PUBREL with flags 0': ['60020001', 5],
  'bytes left behind a PINGRESP': ['d00100', 5],
  'a CONNACK too short': ['200100', 5],
  'a packet that only clients send': ['c000', 5],
  'packet type 0': ['0000', 5],
};

for (const [what, [bytes, version]] of Object.entries(MALFORMED)) {
  test(`malformed: ${what}`, () => {
    assert.throws(() => parse(version, parseHex(bytes)), MqttMalformed);
  });
}

test('variable byte integers at their borders', () => {
  for (const [value, bytes] of [[0, '00'], [127, '7f'], [128, '8001'], [16383, 'ff7f'], [16384, '808001'], [2097152, '80808001'], [VARIABLE_MAX, 'ffffff7f']]) {
    const writer = new ByteWriter();
    writeVariable(writer, value);
    assert.equal(hexadecimal(writer.finish()), bytes);
    assert.equal(readVariable(new ByteReader(parseHex(bytes), (text) => new MqttMalformed(text))), value);
  }
  assert.throws(() => writeVariable(new ByteWriter(), VARIABLE_MAX + 1), RangeError);
});

test('any properties come back', () => {
  const random = chance(3);
  const some = { contentType: 'a', topicAlias: 9, userProperties: [['', ''], ['x', 'y']], correlationData: Uint8Array.of(1), messageExpiryInterval: 2 ** 32 - 1, payloadFormatIndicator: 0, subscriptionIdentifiers: [300] };
  for (let round = 0; round < 200; round += 1) {
    const chosen = Object.fromEntries(Object.entries(some).filter(() => random() < 0.5));
    const writer = new ByteWriter();
    writeProperties(writer, { ...chosen, responseTopic: undefined });
    assert.deepEqual(plain(readProperties(new ByteReader(writer.finish(), (text) => new MqttMalformed(text)))), plain(chosen));
  }
});

test('what is too long is refused before it is sent', () => {
  assert.throws(() => encodePacket({ ...SMALL, topic: 'x'.repeat(65536) }, 5), RangeError);
});
