/**
 * STOMP 1.2 frames (https://stomp.github.io/stomp-specification-1.2.html): objects to bytes, bytes to objects.
 *
 * A frame is { command, headers: [[name, value], ...], body: Uint8Array, raw: Uint8Array }. `raw` is the frame as it
 * came, for the log; it is a copy, so that keeping one frame doesn't keep all that came with it. Frames may be cut
 * anywhere: WebSocket messages have no meaning in STOMP.
 */

import { concat, decodeText, decodeTextLeniently, EMPTY, encodeText } from '../data/bytes.js';

const LF = 10;
const CR = 13;
const NUL = 0;

/** A frame's command and headers; a broker that sends more has lost its way. */
const HEAD_BYTES_MAX = 1024 * 1024;

/** What is sent where there is nothing to say (section Heart-beating). */
export const HEART_BEAT = Uint8Array.of(LF);

/** The broker sent bytes that are no STOMP. */
export class StompMalformed extends Error {}

const ESCAPES = { '\n': '\\n', '\r': '\\r', ':': '\\c', '\\': '\\\\' };
const UNESCAPES = { n: '\n', r: '\r', c: ':', '\\': '\\' };

/** CONNECT and CONNECTED are never escaped, for the sake of STOMP 1.0 (section Value Encoding). */
const UNESCAPED = new Set(['CONNECT', 'CONNECTED']);

function escape(text) {
  return text.replace(/[\n\r:\\]/g, (letter) => ESCAPES[letter]);
}

function unescape(text) {
  return text.replace(/\\([^]?)/g, (whole, letter) => {
    if (!(letter in UNESCAPES)) {
      throw new StompMalformed(`a header has the escape “${whole}”, which doesn't exist`);
    }
    return UNESCAPES[letter];
  });
}

/** The value of a header; of several with this name, the first counts (section Repeated Header Entries). */
export function header(frame, name) {
  return frame.headers.find(([each]) => each === name)?.[1];
}

/** The bytes of a frame. A body gets its content-length, so that it may hold NUL. */
export function encodeFrame({ command, headers = [], body = EMPTY }) {
  const encode = UNESCAPED.has(command) ? (text) => text.replace(/[\r\n]/g, ' ') : escape;
  const lines = headers.map(([name, value]) => `${encode(name)}:${encode(value)}\n`);
  if (body.length) {
    lines.push(`content-length:${body.length}\n`);
  }
  return concat([encodeText(`${command}\n${lines.join('')}\n`), body, Uint8Array.of(NUL)]);
}

/** Cuts a stream of bytes into frames. */
export class StompParser {
  #chunks = [];
  #held = 0;
  /** How many bytes must be there before looking again is worth it. */
  #wanted = 1;

  /** True between frames: what is held is no part of one. */
  get idle() {
    return this.#held === 0;
  }

  /** The frames that are complete with these bytes. Throws StompMalformed; after that the stream can't be read. */
  push(data) {
    this.#chunks.push(data);
    this.#held += data.length;
    if (this.#held < this.#wanted) {
      return [];
    }
    const buffer = concat(this.#chunks);
    const frames = [];
    let offset = 0;
    this.#wanted = 1;
    for (;;) {
      offset = skipLineEnds(buffer, offset);
      const frame = offset < buffer.length ? this.#take(buffer, offset) : null;
      if (!frame) {
        break;
      }
      offset += frame.raw.length;
      frames.push(frame);
    }
    this.#chunks = offset < buffer.length ? [buffer.subarray(offset)] : [];
    this.#held = buffer.length - offset;
    return frames;
  }

  #take(buffer, start) {
    const bodyStart = findBody(buffer, start);
    if (bodyStart < 0) {
      if (buffer.length - start > HEAD_BYTES_MAX) {
        throw new StompMalformed('a frame has no end of its headers');
      }
      return null;
    }
    const frame = decodeHead(buffer.subarray(start, bodyStart));
    const length = contentLength(frame);
    const end = length === null ? buffer.indexOf(NUL, bodyStart) : bodyStart + length;
    if (end < 0 || end >= buffer.length) {
      this.#wanted = length === null ? 1 : end - start + 1;
      return null;
    }
    if (buffer[end] !== NUL) {
      throw new StompMalformed(`a ${frame.command} has no NUL behind its ${length} bytes of content`);
    }
    frame.raw = buffer.slice(start, end + 1);
    frame.body = frame.raw.subarray(bodyStart - start, end - start);
    return frame;
  }
}

function skipLineEnds(buffer, offset) {
  while (offset < buffer.length && (buffer[offset] === LF || (buffer[offset] === CR && buffer[offset + 1] === LF))) {
    offset += 1;
  }
  return offset;
}

/** Where the body begins: behind the first empty line; -1 if there is none yet. */
function findBody(buffer, start) {
  for (let line = start; ; ) {
    const end = buffer.indexOf(LF, line);
    if (end < 0) {
      return -1;
    }
    if (end === line || (end === line + 1 && buffer[line] === CR)) {
      return end + 1;
    }
    line = end + 1;
  }
}

function decodeHead(bytes) {
  let text;
  try {
    text = decodeText(bytes);
  } catch {
    throw new StompMalformed(`a frame's headers are not UTF-8: ${decodeTextLeniently(bytes)}`);
  }
  const [command, ...lines] = text.split(/\r?\n/).slice(0, -2);
  if (!/^[A-Z]+$/.test(command)) {
    throw new StompMalformed(`“${command.slice(0, 40)}” is no command`);
  }
  const decode = UNESCAPED.has(command) ? (value) => value : unescape;
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    if (colon < 0) {
      throw new StompMalformed(`the header line “${line.slice(0, 80)}” has no colon`);
    }
    return [decode(line.slice(0, colon)), decode(line.slice(colon + 1))];
  });
  return { command, headers, body: EMPTY, raw: EMPTY };
}

function contentLength(frame) {
  const value = header(frame, 'content-length');
  if (value === undefined) {
    return null;
  }
  if (!/^\d{1,10}$/.test(value)) {
    throw new StompMalformed(`“${value}” is no content-length`);
  }
  return Number(value);
}
