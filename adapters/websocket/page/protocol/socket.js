/**
 * A WebSocket that carries a stream of bytes, whatever the messages are that they come in.
 *
 * Text messages (STOMP brokers send them where the frame is text) become the bytes they stand for.
 */

import { encodeText } from '../data/bytes.js';

/** Names of close codes (RFC 6455, section 7.4.1). */
const CLOSE_CODES = {
  1000: 'normal closure',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1005: 'no status',
  1006: 'no closing handshake',
  1007: 'invalid data',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'extension missing',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1015: 'TLS failure',
};

/** The end of a connection in words; wasOpen: it had begun. */
export function closeText({ code, reason }, wasOpen, url) {
  if (!wasOpen) {
    const trust = url.startsWith('wss:') ? ' that shows a certificate which this browser trusts' : '';
    return `No WebSocket connection to ${url}: there must be a WebSocket listener of a broker${trust}`;
  }
  const name = CLOSE_CODES[code] ?? 'unknown code';
  return `WebSocket closed: ${code} ${name}${reason ? ` (${reason})` : ''}`;
}

/** One connection attempt and the connection. `handlers` has opened(), received(bytes) and closed(event, wasOpen). */
export class ByteSocket {
  #socket;
  #wasOpen = false;

  /** Throws SyntaxError if the URL is none. */
  constructor(url, subprotocols, handlers) {
    const socket = new WebSocket(url, subprotocols);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#wasOpen = true;
      handlers.opened();
    };
    socket.onmessage = ({ data }) => handlers.received(typeof data === 'string' ? encodeText(data) : new Uint8Array(data));
    socket.onclose = (event) => handlers.closed(event, this.#wasOpen);
    this.#socket = socket;
  }

  /** What the server chose among the subprotocols. */
  get subprotocol() {
    return this.#socket.protocol;
  }

  /** Sends bytes; what is sent after the end is lost, as in any network. */
  send(bytes) {
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(bytes);
    }
  }

  /** Closes in good order; `closed` follows. */
  close() {
    this.#socket.close(1000);
  }
}
