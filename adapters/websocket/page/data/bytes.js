/**
 * Bytes and text: what both codecs are written with.
 *
 * Everything that comes over the wire is a Uint8Array. A subarray shares its memory with what it was cut from.
 */

export const EMPTY = new Uint8Array(0);

const encoder = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/** The UTF-8 of a string. */
export function encodeText(text) {
  return encoder.encode(text);
}

/** The string that these bytes are in UTF-8. Throws TypeError where they are none. */
export function decodeText(bytes) {
  return strict.decode(bytes);
}

/** As decodeText, with U+FFFD for what isn't UTF-8: for error texts and the like, which should be shown anyhow. */
export function decodeTextLeniently(bytes) {
  return lenient.decode(bytes);
}

/** All chunks in one array; a single chunk is given back as it is. */
export function concat(chunks) {
  if (chunks.length === 1) {
    return chunks[0];
  }
  const whole = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

/** The bytes that hexadecimal digits stand for; blanks don't count. Throws a RangeError that says what is wrong. */
export function parseHex(text) {
  const digits = text.replace(/\s+/g, '');
  const wrong = /[^0-9a-f]/i.exec(digits);
  if (wrong) {
    throw new RangeError(`“${wrong[0]}” is no hexadecimal digit`);
  }
  if (digits.length % 2) {
    throw new RangeError('hexadecimal digits come in pairs, and the last one is alone');
  }
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) => parseInt(digits.slice(2 * index, 2 * index + 2), 16));
}

/** Collects the bytes of one packet. */
export class ByteWriter {
  #chunks = [];
  length = 0;

  bytes(chunk) {
    this.#chunks.push(chunk);
    this.length += chunk.length;
    return this;
  }

  u8(value) {
    return this.bytes(Uint8Array.of(value & 0xff));
  }

  u16(value) {
    return this.bytes(Uint8Array.of((value >> 8) & 0xff, value & 0xff));
  }

  u32(value) {
    return this.u16(value >>> 16).u16(value & 0xffff);
  }

  finish() {
    return this.length ? concat(this.#chunks) : EMPTY;
  }
}

/** Takes values off the front of a packet; `fail(text)` makes the error that is thrown when it ends too early. */
export class ByteReader {
  constructor(data, fail) {
    this.data = data;
    this.offset = 0;
    this.fail = fail;
  }

  get left() {
    return this.data.length - this.offset;
  }

  bytes(count) {
    if (count > this.left) {
      throw this.fail(`${count} bytes are due where ${this.left} are left`);
    }
    this.offset += count;
    return this.data.subarray(this.offset - count, this.offset);
  }

  u8() {
    return this.bytes(1)[0];
  }

  u16() {
    const [high, low] = this.bytes(2);
    return high * 256 + low;
  }

  u32() {
    return this.u16() * 65536 + this.u16();
  }

  rest() {
    return this.bytes(this.left);
  }
}
