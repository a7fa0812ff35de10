/** STOMP frames in words, for the log of what went over the wire. */

import { preview } from '../data/body.js';
import { EMPTY } from '../data/bytes.js';
import { header } from './stomp_codec.js';

/** In one line: the command, and what it is about. */
export function describeFrame({ command, headers, body }) {
  const frame = { headers };
  switch (command) {
    case 'SEND':
    case 'MESSAGE':
      return `${header(frame, 'destination')}  ${preview(body)}`;
    case 'SUBSCRIBE':
      return `${header(frame, 'destination')}  ack ${header(frame, 'ack')}`;
    case 'ERROR':
      return `${header(frame, 'message')}: ${preview(body)}`;
    case 'CONNECT':
      return `login ${header(frame, 'login') ?? 'none'}, host ${header(frame, 'host')}`;
    case 'CONNECTED':
      return `version ${header(frame, 'version')}, heart-beat ${header(frame, 'heart-beat')}`;
    default:
      return headers.map(([name, value]) => `${name} ${value}`).join(', ');
  }
}

/** An entry of the log. Of CONNECT, the password is kept back, and so are the bytes that hold it. */
export function frameEntry(frame) {
  const secret = frame.command === 'CONNECT';
  const headers = secret
    ? frame.headers.map(([name, value]) => [name, name === 'passcode' ? '(not shown)' : value])
    : frame.headers;
  return {
    name: frame.command,
    size: frame.raw.length,
    summary: () => describeFrame(frame),
    fields: () => headers,
    body: frame.body,
    raw: secret ? EMPTY : frame.raw,
  };
}
