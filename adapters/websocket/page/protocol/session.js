/**
 * What the user wants to be connected to, through the connections that come and go.
 *
 *   offline --connect()--> connecting --logged in--> online --lost--> waiting --time, or retry()--> connecting
 *
 * A connection that was online once is made again, after 1, 2, 4 … 30 seconds, and its subscriptions with it (but for those
 * that were refused), unless that is switched off or the server refused the login. Only a connection that lasts makes the
 * delay short again. disconnect() leads to offline from everywhere.
 *
 * Events: state(), subscriptions(), message(message), wire(direction, unit), problem(text), opened(), closed(text),
 * where the text is empty if a problem said it.
 */

import { PROTOCOLS } from './protocols.js';

const FIRST_DELAY_MS = 1000;
const DELAY_MS_MAX = 30_000;

/** From when on a connection counts as lasting. */
const LASTING_MS = 10_000;

/** Up to this share of a delay is added by chance, so that the pages of a whole office don't come back at once. */
const JITTER = 0.2;

/** What is said about a subscription that can't be made yet. */
const WAITING = 'when connected';

export class Session {
  state = 'offline';
  about = '';
  /** When the next attempt is due, as performance.now() counts; only while waiting. */
  retryAt = 0;
  reconnects = true;
  subscriptions = [];
  #events;
  #client = null;
  #options = null;
  #wasOnline = false;
  #attempts = 0;
  #onlineAt = 0;
  #timer;
  #lastId = 0;

  constructor(events) {
    this.#events = events;
  }

  get protocol() {
    return this.#options && PROTOCOLS[this.#options.protocol];
  }

  /** options: protocol (a key of PROTOCOLS) and those of its client, which get `kept`, for what outlives a connection. */
  connect(options) {
    this.disconnect();
    this.#options = { ...options, kept: {} };
    this.#wasOnline = false;
    this.#attempts = 0;
    this.subscriptions.forEach((each) => this.#note(each, 'idle', WAITING));
    this.#open();
  }

  disconnect() {
    clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = null;
    client?.close();
    this.#idle('offline');
  }

  /** While waiting: try now. */
  retry() {
    if (this.state === 'waiting') {
      clearTimeout(this.#timer);
      this.#open();
    }
  }

  /** Subscribe now if online, and at every login to come. Resolves when that is answered or must wait. */
  async add(destination, mode, prefetch = 0) {
    const subscription = { id: String((this.#lastId += 1)), destination, mode, prefetch, count: 0, status: 'idle', note: '' };
    this.subscriptions.push(subscription);
    await this.#subscribe(subscription);
    return subscription;
  }

  async remove(subscription) {
    this.subscriptions = this.subscriptions.filter((each) => each !== subscription);
    this.#events.subscriptions();
    if (this.state === 'online' && subscription.status === 'active') {
      try {
        await this.#client.unsubscribe(subscription);
      } catch (error) {
        this.#events.problem(error.message);
      }
    }
  }

  /** A line about how the server took the message. Throws Error if it didn't. */
  async publish(message) {
    return this.#online().publish(message);
  }

  async settle(message, how) {
    return this.#online().settle(message, how);
  }

  #online() {
    if (this.state !== 'online') {
      throw new Error('Not connected');
    }
    return this.#client;
  }

  #open() {
    const client = this.protocol.make(this.#options, {
      opened: (about) => this.#client === client && this.#opened(about),
      message: (message) => this.#message(message),
      wire: (direction, unit) => this.#events.wire(direction, unit),
      problem: (text) => this.#events.problem(text),
      closed: (end) => this.#client === client && this.#closed(end),
    });
    this.#client = client;
    this.#set('connecting');
    try {
      client.open();
    } catch (error) {
      this.#client = null;
      this.#idle('offline');
      this.#events.closed(error.message);
    }
  }

  #opened(about) {
    this.about = about;
    this.#wasOnline = true;
    this.#onlineAt = performance.now();
    this.#set('online');
    this.#events.opened();
    this.subscriptions.filter((each) => each.status !== 'failed').forEach((each) => this.#subscribe(each));
  }

  #closed({ text, refused }) {
    this.#client = null;
    if (!this.#wasOnline || refused || !this.reconnects) {
      this.#idle('offline');
      this.#events.closed(text);
      return;
    }
    if (this.state === 'online' && performance.now() - this.#onlineAt > LASTING_MS) {
      this.#attempts = 0;
    }
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#attempts, DELAY_MS_MAX) * (1 + JITTER * Math.random());
    this.#attempts += 1;
    this.retryAt = performance.now() + delay;
    this.#timer = setTimeout(() => this.#open(), delay);
    this.#idle('waiting');
    this.#events.closed(text);
  }

  #message(message) {
    for (const subscription of this.subscriptions) {
      if (message.subscriptionIds.includes(subscription.id)) {
        subscription.count += 1;
      }
    }
    this.#events.message(message);
  }

  async #subscribe(subscription) {
    if (this.state === 'online') {
      this.#note(subscription, 'pending', '');
      try {
        this.#note(subscription, 'active', await this.#client.subscribe(subscription));
      } catch (error) {
        this.#note(subscription, 'failed', error.message);
      }
    } else {
      this.#note(subscription, 'idle', WAITING);
    }
  }

  #note(subscription, status, note) {
    Object.assign(subscription, { status, note });
    this.#events.subscriptions();
  }

  #idle(state) {
    for (const subscription of this.subscriptions.filter((each) => each.status !== 'failed')) {
      Object.assign(subscription, { status: 'idle', note: WAITING });
    }
    this.#events.subscriptions();
    this.#set(state);
  }

  #set(state) {
    this.state = state;
    this.#events.state();
  }
}
