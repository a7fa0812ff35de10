/** How MQTT writes single values (MQTT 5, section 1.5). */

import { decodeText, encodeText } from '../data/bytes.js';

/** The broker sent bytes that are no MQTT. */
export class MqttMalformed extends Error {}

/** The largest number of four bytes with seven bits each (section 1.5.5). */
export const VARIABLE_MAX = 268435455;

/** The longest string or binary value: its length has two bytes. */
const BINARY_BYTES_MAX = 65535;

export function readVariable(reader) {
  let value = 0;
  for (let shift = 1; shift <= 128 ** 3; shift *= 128) {
    const byte = reader.u8();
    value += (byte & 127) * shift;
    if (byte < 128) {
      return value;
    }
  }
  throw new MqttMalformed('a variable byte integer has more than four bytes');
}

export function writeVariable(writer, value) {
  if (value > VARIABLE_MAX) {
    throw new RangeError(`${value} is too much: a packet has at most ${VARIABLE_MAX} bytes`);
  }
  do {
    const rest = Math.floor(value / 128);
    writer.u8((value % 128) | (rest ? 128 : 0));
    value = rest;
  } while (value);
}

export function readBinary(reader) {
  return reader.bytes(reader.u16());
}

export function writeBinary(writer, bytes) {
  if (bytes.length > BINARY_BYTES_MAX) {
    throw new RangeError(`a topic, name or property has ${bytes.length} bytes; MQTT allows ${BINARY_BYTES_MAX}`);
  }
  writer.u16(bytes.length);
  writer.bytes(bytes);
}

export function readString(reader) {
  try {
    return decodeText(readBinary(reader));
  } catch (error) {
    if (error instanceof TypeError) {
      throw new MqttMalformed('a string is not UTF-8');
    }
    throw error;
  }
}

export function writeString(writer, text) {
  writeBinary(writer, encodeText(text));
}
