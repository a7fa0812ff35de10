/**
 * A STOMP 1.2 client over WebSocket.
 *
 * The two clients of this page have the same methods (open, close, subscribe, unsubscribe, publish, settle) and call the
 * same events:
 *   opened(about)          logged in; `about` is a line about the connection
 *   message(message)       a message, see toMessage
 *   wire(direction, unit)  a frame went 'out' or came 'in'
 *   problem(text)          the server says something is wrong, in its own words
 *   closed({ text, refused })  the end; text: why, empty if a problem said it; refused: trying again won't help
 *
 * Requests are promises of a line that says how the server answered. An ERROR with the receipt-id of a request refuses it,
 * any other is a problem.
 */

import { decodeTextLeniently, EMPTY } from '../data/bytes.js';
import { Pending } from './pending.js';
import { ByteSocket, closeText } from './socket.js';
import { encodeFrame, header, HEART_BEAT, StompParser } from './stomp_codec.js';

/** How many intervals without a sign of life mean that the server is gone. */
const SILENT_INTERVALS = 3;

/** Headers of a MESSAGE that are shown in places of their own. */
const NOT_PROPERTIES = new Set(['destination', 'subscription', 'content-length', 'ack']);

export class StompClient {
  #options;
  #events;
  #socket;
  #parser = new StompParser();
  #receipts = new Pending();
  #receiptCount = 0;
  #timers = [];
  #heardAt = 0;
  #connected = false;
  #refused = false;
  #failed = false;
  #lastError = '';

  /** options: url, user, password, vhost, intervalS (of heart-beats; 0 is none). */
  constructor(options, events) {
    this.#options = options;
    this.#events = events;
  }

  open() {
    this.#socket = new ByteSocket(this.#options.url, ['v12.stomp'], {
      opened: () => this.#login(),
      received: (bytes) => this.#received(bytes),
      closed: (event, wasOpen) => this.#closed(event, wasOpen),
    });
  }

  close() {
    if (this.#connected) {
      this.#send('DISCONNECT', []);
    }
    this.#socket.close();
  }

  /** subscription: id, destination, mode ('auto', 'client' or 'client-individual'), prefetch (0: no limit). */
  async subscribe({ id, destination, mode, prefetch }) {
    const headers = [['id', id], ['destination', destination], ['ack', mode]];
    if (prefetch) {
      headers.push(['prefetch-count', String(prefetch)]);
    }
    await this.#request('SUBSCRIBE', headers);
    return `ack: ${mode}`;
  }

  async unsubscribe({ id }) {
    await this.#request('UNSUBSCRIBE', [['id', id]]);
  }

  /** message: destination, body, contentType, headers, persistent, receipt, replyTo, correlation, expiresS. */
  async publish(message) {
    const headers = [['destination', message.destination]];
    const add = (name, value) => value && headers.push([name, String(value)]);
    add('content-type', message.contentType);
    add('persistent', message.persistent && 'true');
    add('reply-to', message.replyTo);
    add('correlation-id', message.correlation);
    add('expiration', message.expiresS && Math.round(message.expiresS * 1000));
    headers.push(...message.headers);
    if (!message.receipt) {
      this.#send('SEND', headers, message.body);
      return 'sent, without receipt';
    }
    return this.#request('SEND', headers, message.body);
  }

  /** How a message that waits for it is settled: 'ack', 'requeue' or 'reject'. */
  async settle(message, how) {
    const headers = [['id', message.settleKey]];
    if (how !== 'ack') {
      headers.push(['requeue', String(how === 'requeue')]);
    }
    await this.#request(how === 'ack' ? 'ACK' : 'NACK', headers);
  }

  #login() {
    const { user, password, vhost, intervalS } = this.#options;
    const beat = Math.round(intervalS * 1000);
    const headers = [['accept-version', '1.2'], ['host', vhost || '/'], ['heart-beat', `${beat},${beat}`]];
    if (user) {
      headers.push(['login', user], ['passcode', password]);
    }
    this.#send('CONNECT', headers);
  }

  #request(command, headers, body) {
    const identifier = `r${(this.#receiptCount += 1)}`;
    const answer = this.#receipts.wait(identifier);
    this.#send(command, [...headers, ['receipt', identifier]], body);
    return answer;
  }

  #send(command, headers, body = EMPTY) {
    const frame = { command, headers, body };
    const raw = encodeFrame(frame);
    this.#socket.send(raw);
    this.#events.wire('out', { ...frame, raw });
  }

  #received(bytes) {
    if (this.#failed) {
      return;
    }
    this.#heardAt = performance.now();
    const idle = this.#parser.idle;
    let frames;
    try {
      frames = this.#parser.push(bytes);
    } catch (error) {
      this.#fail(`The broker's answer is no STOMP: ${error.message}`);
      return;
    }
    if (idle && !frames.length && this.#parser.idle) {
      this.#events.wire('in', { command: 'heart-beat', headers: [], body: EMPTY, raw: bytes });
    }
    for (const frame of frames) {
      this.#events.wire('in', frame);
      this.#handle(frame);
    }
  }

  #handle(frame) {
    switch (frame.command) {
      case 'MESSAGE':
        return this.#events.message(toMessage(frame));
      case 'RECEIPT':
        return this.#onReceipt(header(frame, 'receipt-id'));
      case 'ERROR':
        return this.#onError(frame);
      case 'CONNECTED':
        return this.#onConnected(frame);
      default:
        return this.#fail(`The broker sent a ${frame.command}, which a server doesn't send`);
    }
  }

  #onConnected(frame) {
    this.#connected = true;
    this.#startBeating(header(frame, 'heart-beat') ?? '0,0');
    this.#events.opened(`STOMP ${header(frame, 'version') ?? '1.0'}`);
  }

  #onReceipt(identifier) {
    this.#receipts.resolve(identifier, `RECEIPT after ${this.#receipts.waited(identifier)}`);
  }

  #onError(frame) {
    const detail = decodeTextLeniently(frame.body).trim();
    const text = `ERROR ${header(frame, 'message') ?? ''}${detail ? `: ${detail}` : ''}`;
    this.#refused ||= !this.#connected;
    this.#lastError = text;
    if (!this.#receipts.reject(header(frame, 'receipt-id'), text)) {
      this.#events.problem(text);
    }
  }

  /** Heart-beats as agreed: each side's offer against what the other wants (section Heart-beating). */
  #startBeating(answer) {
    const [serverSends, serverWants] = answer.split(',').map(Number);
    const own = this.#options.intervalS * 1000;
    if (own && serverWants) {
      this.#timers.push(setInterval(() => this.#beat(), Math.max(own, serverWants)));
    }
    if (own && serverSends) {
      const limit = Math.max(own, serverSends) * SILENT_INTERVALS;
      this.#timers.push(setInterval(() => this.#checkSilence(limit), limit / SILENT_INTERVALS));
    }
  }

  #beat() {
    this.#socket.send(HEART_BEAT);
    this.#events.wire('out', { command: 'heart-beat', headers: [], body: EMPTY, raw: HEART_BEAT });
  }

  #checkSilence(limitMs) {
    if (performance.now() - this.#heardAt > limitMs) {
      this.#fail(`Nothing came from the broker for ${Math.round(limitMs / 1000)} s, not even a heart-beat`);
    }
  }

  #fail(text) {
    this.#failed = true;
    this.#lastError = text;
    this.#events.problem(text);
    this.#socket.close();
  }

  #closed(event, wasOpen) {
    this.#timers.forEach(clearInterval);
    const reason = closeText(event, wasOpen, this.#options.url);
    this.#receipts.rejectAll(this.#lastError || reason);
    const said = event.code === 1000 && this.#lastError !== '';
    this.#events.closed({ text: said ? '' : reason, refused: this.#refused });
  }
}

/** A MESSAGE as the views know messages; `settleKey` is there if it waits to be settled. */
function toMessage(frame) {
  const redelivered = header(frame, 'redelivered') === 'true';
  return {
    destination: header(frame, 'destination') ?? '',
    body: frame.body,
    contentType: header(frame, 'content-type') ?? '',
    properties: frame.headers.filter(([name]) => !NOT_PROPERTIES.has(name)),
    marks: redelivered ? ['redelivered'] : [],
    subscriptionIds: [header(frame, 'subscription') ?? ''],
    settleKey: header(frame, 'ack'),
  };
}
