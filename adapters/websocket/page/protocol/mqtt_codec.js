/**
 * MQTT 5.0 and 3.1.1 packets, as a client needs them: what it sends is encoded, what it receives decoded.
 *
 * A packet is { type: 'publish', ... } with the names of the specification in camel case. Decoded ones have `raw`, the
 * packet as it came, for the log; it is a copy, so that keeping one packet doesn't keep all that came with it. `version` is
 * 5 or 4; 4 is how 3.1.1 calls itself in CONNECT, and has no properties.
 */

import { ByteReader, ByteWriter, concat } from '../data/bytes.js';
import { readProperties, writeProperties } from './mqtt_properties.js';
import { MqttMalformed, readString, writeString, writeVariable } from './mqtt_values.js';

export { MqttMalformed };

/** Packet types by the upper four bits of the first byte (section 2.1.2). */
const TYPES = [
  null, 'connect', 'connack', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'subscribe', 'suback',
  'unsubscribe', 'unsuback', 'pingreq', 'pingresp', 'disconnect', 'auth',
];

/** Types whose lower four bits must be 2 (section 2.1.3). */
const FLAGS_TWO = new Set(['pubrel', 'subscribe', 'unsubscribe']);

/** The bytes of a packet. Throws RangeError where something is too long for MQTT. */
export function encodePacket(packet, version) {
  const writer = new ByteWriter();
  const flags = (ENCODERS[packet.type] ?? nothing)(writer, packet, version);
  const head = new ByteWriter();
  head.u8((TYPES.indexOf(packet.type) << 4) | (flags ?? (FLAGS_TWO.has(packet.type) ? 2 : 0)));
  writeVariable(head, writer.length);
  return concat([head.finish(), writer.finish()]);
}

/** Cuts a stream of bytes into packets. */
export class MqttParser {
  #chunks = [];
  #held = 0;
  #wanted = 2;

  constructor(version) {
    this.version = version;
  }

  /** The packets that are complete with these bytes. Throws MqttMalformed; after that the stream can't be read. */
  push(data) {
    this.#chunks.push(data);
    this.#held += data.length;
    if (this.#held < this.#wanted) {
      return [];
    }
    const buffer = concat(this.#chunks);
    const packets = [];
    let offset = 0;
    for (;;) {
      const [headBytes, bodyBytes] = measure(buffer, offset);
      this.#wanted = headBytes ? headBytes + bodyBytes : buffer.length - offset + 1;
      if (buffer.length - offset < this.#wanted) {
        break;
      }
      packets.push(decodePacket(buffer.slice(offset, offset + this.#wanted), headBytes, this.version));
      offset += this.#wanted;
    }
    this.#chunks = offset < buffer.length ? [buffer.subarray(offset)] : [];
    this.#held = buffer.length - offset;
    return packets;
  }
}

/** The bytes of a packet's fixed header and of what follows it; [0, 0] if that isn't known yet. */
function measure(buffer, offset) {
  let length = 0;
  for (let index = 0; index < 4; index += 1) {
    const at = offset + 1 + index;
    if (at >= buffer.length) {
      return [0, 0];
    }
    length += (buffer[at] & 127) * 128 ** index;
    if (buffer[at] < 128) {
      return [index + 2, length];
    }
  }
  throw new MqttMalformed('a packet has a length of more than four bytes');
}

function decodePacket(raw, headBytes, version) {
  const type = TYPES[raw[0] >> 4];
  const decode = DECODERS[type];
  if (!decode) {
    throw new MqttMalformed(`a server sends no packet of type ${raw[0] >> 4}`);
  }
  const flags = raw[0] & 15;
  if (type !== 'publish' && flags !== (FLAGS_TWO.has(type) ? 2 : 0)) {
    throw new MqttMalformed(`a ${type.toUpperCase()} has the flags ${flags}`);
  }
  const fail = (text) => new MqttMalformed(`a ${type.toUpperCase()} is too short: ${text}`);
  const reader = new ByteReader(raw.subarray(headBytes), fail);
  const packet = { type, raw, ...decode(reader, version, flags) };
  if (reader.left) {
    throw new MqttMalformed(`a ${type.toUpperCase()} is too long: ${reader.left} bytes are left`);
  }
  return packet;
}

const nothing = () => undefined;

const ENCODERS = {
  connect(writer, packet, version) {
    const { username, password } = packet;
    writeString(writer, 'MQTT');
    writer.u8(version);
    writer.u8((packet.clean ? 2 : 0) | (password === undefined ? 0 : 64) | (username === undefined ? 0 : 128));
    writer.u16(packet.keepAlive);
    propertiesOf(writer, packet, version);
    writeString(writer, packet.clientId);
    [username, password].filter((each) => each !== undefined).forEach((each) => writeString(writer, each));
  },

  publish(writer, packet, version) {
    const { qos = 0, retain = false, duplicate = false } = packet;
    writeString(writer, packet.topic);
    if (qos) {
      writer.u16(packet.packetId);
    }
    propertiesOf(writer, packet, version);
    writer.bytes(packet.payload);
    return (duplicate ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  },

  puback: encodeAnswer,
  pubrec: encodeAnswer,
  pubrel: encodeAnswer,
  pubcomp: encodeAnswer,

  subscribe(writer, packet, version) {
    writer.u16(packet.packetId);
    propertiesOf(writer, packet, version);
    for (const { filter, qos = 0, noLocal, retainAsPublished, retainHandling = 0 } of packet.subscriptions) {
      writeString(writer, filter);
      const options = (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4);
      writer.u8(qos | (version === 5 ? options : 0));
    }
  },

  unsubscribe(writer, packet, version) {
    writer.u16(packet.packetId);
    propertiesOf(writer, packet, version);
    packet.filters.forEach((filter) => writeString(writer, filter));
  },

  disconnect(writer, packet, version) {
    if (version === 5 && packet.reasonCode) {
      writer.u8(packet.reasonCode);
      propertiesOf(writer, packet, version);
    }
  },
};

function propertiesOf(writer, packet, version) {
  if (version === 5) {
    writeProperties(writer, packet.properties);
  }
}

function encodeAnswer(writer, packet, version) {
  writer.u16(packet.packetId);
  if (version === 5 && packet.reasonCode) {
    writer.u8(packet.reasonCode);
  }
}

const DECODERS = {
  connack(reader, version) {
    const sessionPresent = reader.u8() === 1;
    return { sessionPresent, reasonCode: reader.u8(), properties: version === 5 ? readProperties(reader) : {} };
  },

  publish(reader, version, flags) {
    const qos = (flags >> 1) & 3;
    if (qos === 3) {
      throw new MqttMalformed('a PUBLISH has QoS 3');
    }
    const topic = readString(reader);
    const packetId = qos ? reader.u16() : 0;
    const properties = version === 5 ? readProperties(reader) : {};
    return { topic, qos, retain: Boolean(flags & 1), duplicate: Boolean(flags & 8), packetId, properties, payload: reader.rest() };
  },

  puback: decodeAnswer,
  pubrec: decodeAnswer,
  pubrel: decodeAnswer,
  pubcomp: decodeAnswer,

  suback: decodeGrants,

  unsuback(reader, version) {
    return version === 5 ? decodeGrants(reader, version) : { packetId: reader.u16(), properties: {}, reasonCodes: [] };
  },

  pingresp: () => ({}),
  disconnect: decodeReason,
  auth: decodeReason,
};

/** An answer of two bytes means success (section 3.4.2.1). */
function decodeAnswer(reader, version) {
  return { packetId: reader.u16(), ...decodeReason(reader, version) };
}

function decodeReason(reader, version) {
  const reasonCode = version === 5 && reader.left ? reader.u8() : 0;
  return { reasonCode, properties: version === 5 && reader.left ? readProperties(reader) : {} };
}

function decodeGrants(reader, version) {
  const packetId = reader.u16();
  const properties = version === 5 ? readProperties(reader) : {};
  return { packetId, properties, reasonCodes: [...reader.rest()] };
}
