/**
 * The properties of MQTT 5 packets (section 2.2.2), as an object: { contentType: 'text/plain', userProperties: [...] }.
 *
 * Two may come more than once and are arrays: userProperties, of [name, value], and subscriptionIdentifiers.
 */

import { ByteReader, ByteWriter, encodeText } from '../data/bytes.js';
import { MqttMalformed, readBinary, readString, readVariable, writeBinary, writeVariable } from './mqtt_values.js';

const KINDS = {
  byte: [(reader) => reader.u8(), (writer, value) => writer.u8(value)],
  u16: [(reader) => reader.u16(), (writer, value) => writer.u16(value)],
  u32: [(reader) => reader.u32(), (writer, value) => writer.u32(value)],
  variable: [readVariable, writeVariable],
  string: [readString, (writer, value) => writeBinary(writer, encodeText(value))],
  binary: [readBinary, writeBinary],
  pair: [
    (reader) => [readString(reader), readString(reader)],
    (writer, [name, value]) => {
      writeBinary(writer, encodeText(name));
      writeBinary(writer, encodeText(value));
    },
  ],
};

/** Identifier, name and kind of each. */
const TABLE = [
  [0x01, 'payloadFormatIndicator', 'byte'],
  [0x02, 'messageExpiryInterval', 'u32'],
  [0x03, 'contentType', 'string'],
  [0x08, 'responseTopic', 'string'],
  [0x09, 'correlationData', 'binary'],
  [0x0b, 'subscriptionIdentifiers', 'variable'],
  [0x11, 'sessionExpiryInterval', 'u32'],
  [0x12, 'assignedClientIdentifier', 'string'],
  [0x13, 'serverKeepAlive', 'u16'],
  [0x15, 'authenticationMethod', 'string'],
  [0x16, 'authenticationData', 'binary'],
  [0x17, 'requestProblemInformation', 'byte'],
  [0x18, 'willDelayInterval', 'u32'],
  [0x19, 'requestResponseInformation', 'byte'],
  [0x1a, 'responseInformation', 'string'],
  [0x1c, 'serverReference', 'string'],
  [0x1f, 'reasonString', 'string'],
  [0x21, 'receiveMaximum', 'u16'],
  [0x22, 'topicAliasMaximum', 'u16'],
  [0x23, 'topicAlias', 'u16'],
  [0x24, 'maximumQos', 'byte'],
  [0x25, 'retainAvailable', 'byte'],
  [0x26, 'userProperties', 'pair'],
  [0x27, 'maximumPacketSize', 'u32'],
  [0x28, 'wildcardSubscriptionAvailable', 'byte'],
  [0x29, 'subscriptionIdentifiersAvailable', 'byte'],
  [0x2a, 'sharedSubscriptionAvailable', 'byte'],
];

const REPEATABLE = new Set(['userProperties', 'subscriptionIdentifiers']);

const BY_IDENTIFIER = new Map(TABLE.map(([identifier, name, kind]) => [identifier, { name, read: KINDS[kind][0] }]));
const BY_NAME = new Map(TABLE.map(([identifier, name, kind]) => [name, { identifier, write: KINDS[kind][1] }]));

/** The properties at the front of `reader`, their length before them. */
export function readProperties(reader) {
  const inside = new ByteReader(reader.bytes(readVariable(reader)), reader.fail);
  const properties = {};
  while (inside.left) {
    const identifier = readVariable(inside);
    const known = BY_IDENTIFIER.get(identifier);
    if (!known) {
      throw new MqttMalformed(`there is no property ${identifier}`);
    }
    const value = known.read(inside);
    if (REPEATABLE.has(known.name)) {
      (properties[known.name] ??= []).push(value);
    } else if (known.name in properties) {
      throw new MqttMalformed(`the property ${known.name} is there twice`);
    } else {
      properties[known.name] = value;
    }
  }
  return properties;
}

/** Writes properties with their length before them. One that is undefined is left out. */
export function writeProperties(writer, properties = {}) {
  const inside = new ByteWriter();
  for (const [name, value] of Object.entries(properties).filter(([, each]) => each !== undefined)) {
    const { identifier, write } = BY_NAME.get(name);
    for (const each of REPEATABLE.has(name) ? value : [value]) {
      inside.u8(identifier);
      write(inside, each);
    }
  }
  writeVariable(writer, inside.length);
  writer.bytes(inside.finish());
}
