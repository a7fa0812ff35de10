/**
 * An MQTT 5.0 and 3.1.1 client over WebSocket. Methods and events are those of stomp.js.
 *
 * QoS 1 and 2 are acknowledged as soon as a message is shown. What was not answered when the connection ends is reported
 * as lost, not sent again: a person at the page decides about that. But a session that the server keeps knows of it, so
 * packet identifiers go on from one connection to the next, and what was received with QoS 2 is not shown twice.
 */

import { encodeText } from '../data/bytes.js';
import { encodePacket, MqttParser } from './mqtt_codec.js';
import { messageProperties } from './mqtt_describe.js';
import { connackText, grantText, reasonText } from './mqtt_reason_codes.js';
import { Pending } from './pending.js';
import { ByteSocket, closeText } from './socket.js';
import { topicMatches } from './topics.js';

/** Codes from here on are refusals (section 2.4). */
const REFUSAL = 0x80;

/** Refusals of CONNECT that may be over when one tries again: unavailable, busy, shutting down, rate. */
const PASSING = new Set([0x88, 0x89, 0x8b, 0x9f]);

/** Another client has connected with the same identifier. */
const TAKEN_OVER = 0x8e;

const PACKET_ID_MAX = 65535;

/** How many topic aliases the server may use. */
const TOPIC_ALIASES_MAX = 16;

/** Of all connections; a page that is loaded again begins somewhere else. */
let lastPacketId = Math.floor(Math.random() * PACKET_ID_MAX);

export class MqttClient {
  #options;
  #events;
  #socket;
  #parser;
  #requests = new Pending();
  #subscriptions = new Map();
  #received;
  #aliases = new Map();
  #timer;
  #heardAt = 0;
  #limits = {};
  #connected = false;
  #refused = false;
  #failed = false;
  #lastError = '';

  /** options: url, version (5 or 4), user, password, vhost, clientId, intervalS (keep-alive), sessionExpiryS, kept. */
  constructor(options, events) {
    this.#options = options;
    this.#received = options.kept.received ??= new Set();
    this.#events = events;
    this.#parser = new MqttParser(options.version);
  }

  open() {
    this.#socket = new ByteSocket(this.#options.url, ['mqtt'], {
      opened: () => this.#login(),
      received: (bytes) => this.#receivedBytes(bytes),
      closed: (event, wasOpen) => this.#closed(event, wasOpen),
    });
  }

  close() {
    if (this.#connected) {
      this.#send({ type: 'disconnect' });
    }
    this.#socket.close();
  }

  /** subscription: id, destination (a filter), mode (a QoS), noLocal. */
  async subscribe(subscription) {
    const { id, destination: filter, mode } = subscription;
    const packetId = this.#nextPacketId();
    const named = this.#options.version === 5 && this.#limits.subscriptionIdentifiersAvailable !== 0;
    const properties = named ? { subscriptionIdentifiers: [Number(id)] } : {};
    this.#subscriptions.set(id, filter);
    const subscriptions = [{ filter, qos: Number(mode), retainAsPublished: true }];
    const answer = await this.#request({ type: 'subscribe', packetId, properties, subscriptions });
    const [reasonCode] = answer.reasonCodes;
    if (reasonCode >= REFUSAL) {
      this.#subscriptions.delete(id);
      throw new Error(explain(`SUBACK ${reasonText(reasonCode)}`, answer.properties.reasonString));
    }
    return `granted ${grantText(reasonCode)}`;
  }

  async unsubscribe({ id, destination }) {
    this.#subscriptions.delete(id);
    const { reasonCodes } = await this.#request({ type: 'unsubscribe', packetId: this.#nextPacketId(), filters: [destination] });
    if (reasonCodes[0] >= REFUSAL) {
      throw new Error(`UNSUBACK ${reasonText(reasonCodes[0])}`);
    }
  }

  /** message: destination (a topic), body, contentType, headers, qos, retain, replyTo, correlation, expiresS. */
  async publish(message) {
    const { destination: topic, body: payload, qos, retain } = message;
    const packet = { type: 'publish', topic, payload, qos, retain, properties: publishProperties(message) };
    this.#checkLimits(packet);
    if (!qos) {
      this.#send(packet);
      return 'sent with QoS 0';
    }
    return this.#request({ ...packet, packetId: this.#nextPacketId() });
  }

  #login() {
    const { version, user, password, vhost, clientId, intervalS, sessionExpiryS } = this.#options;
    const username = user && vhost && vhost !== '/' ? `${vhost}:${user}` : user;
    this.#send({
      type: 'connect',
      clientId,
      clean: !sessionExpiryS,
      keepAlive: intervalS,
      username: username || undefined,
      password: username ? password : undefined,
      properties: { sessionExpiryInterval: sessionExpiryS || undefined, topicAliasMaximum: TOPIC_ALIASES_MAX },
    });
  }

  /** What the server would end the connection for (sections 3.2.2.3.3 and 3.2.2.3.6). */
  #checkLimits({ payload, topic, qos }) {
    const { maximumPacketSize = Infinity, receiveMaximum = 65535 } = this.#limits;
    if (payload.length + topic.length > maximumPacketSize) {
      throw new Error(`The broker takes packets of at most ${maximumPacketSize} bytes`);
    }
    if (qos && this.#requests.size >= receiveMaximum) {
      throw new Error(`The broker takes ${receiveMaximum} unanswered messages at a time; wait for the answers`);
    }
  }

  #nextPacketId() {
    do {
      lastPacketId = (lastPacketId % PACKET_ID_MAX) + 1;
    } while (this.#requests.has(lastPacketId));
    return lastPacketId;
  }

  #request(packet) {
    const raw = encodePacket(packet, this.#options.version);
    const answer = this.#requests.wait(packet.packetId);
    this.#sendRaw(packet, raw);
    return answer;
  }

  #send(packet) {
    this.#sendRaw(packet, encodePacket(packet, this.#options.version));
  }

  #sendRaw(packet, raw) {
    this.#socket.send(raw);
    this.#events.wire('out', { ...packet, raw });
  }

  #receivedBytes(bytes) {
    if (this.#failed) {
      return;
    }
    this.#heardAt = performance.now();
    let packets;
    try {
      packets = this.#parser.push(bytes);
    } catch (error) {
      this.#fail(`The broker's answer is no MQTT: ${error.message}`);
      return;
    }
    for (const packet of packets) {
      this.#events.wire('in', packet);
      this.#handle(packet);
    }
  }

  #handle(packet) {
    switch (packet.type) {
      case 'publish':
        return this.#onPublish(packet);
      case 'puback':
      case 'pubcomp':
        return this.#onAnswer(packet);
      case 'pubrec':
        return packet.reasonCode < REFUSAL ? this.#send({ type: 'pubrel', packetId: packet.packetId }) : this.#onAnswer(packet);
      case 'pubrel':
        this.#received.delete(packet.packetId);
        return this.#send({ type: 'pubcomp', packetId: packet.packetId });
      case 'suback':
      case 'unsuback':
        return this.#requests.resolve(packet.packetId, packet);
      case 'connack':
        return this.#onConnack(packet);
      case 'disconnect':
        return this.#onDisconnect(packet);
      case 'auth':
        return this.#fail('The broker asks for enhanced authentication, which this page cannot do');
      default:
        return undefined;
    }
  }

  #onConnack({ reasonCode, sessionPresent, properties }) {
    const { version, clientId, intervalS } = this.#options;
    if (reasonCode) {
      this.#refused = !PASSING.has(reasonCode);
      this.#lastError = explain(`CONNACK ${connackText(reasonCode, version)}`, properties.reasonString);
      this.#events.problem(this.#lastError);
      this.#socket.close();
      return;
    }
    this.#connected = true;
    this.#limits = properties;
    if (!sessionPresent) {
      this.#received.clear();
    }
    this.#startPinging(properties.serverKeepAlive ?? intervalS);
    const name = properties.assignedClientIdentifier ?? clientId;
    this.#events.opened(`MQTT ${version === 5 ? '5.0' : '3.1.1'} · ${name}${sessionPresent ? ' · session present' : ''}`);
  }

  #onPublish(packet) {
    if (packet.qos === 2) {
      const isNew = !this.#received.has(packet.packetId);
      this.#received.add(packet.packetId);
      if (isNew) {
        this.#deliver(packet);
      }
      this.#send({ type: 'pubrec', packetId: packet.packetId });
      return;
    }
    this.#deliver(packet);
    if (packet.qos) {
      this.#send({ type: 'puback', packetId: packet.packetId });
    }
  }

  #deliver(packet) {
    const { topicAlias, contentType, subscriptionIdentifiers } = packet.properties;
    if (topicAlias && packet.topic) {
      this.#aliases.set(topicAlias, packet.topic);
    }
    const destination = packet.topic || this.#aliases.get(topicAlias) || '';
    this.#events.message({
      destination,
      body: packet.payload,
      contentType: contentType ?? '',
      properties: messageProperties(packet),
      marks: [`QoS ${packet.qos}`, ...(packet.retain ? ['retain'] : []), ...(packet.duplicate ? ['duplicate'] : [])],
      subscriptionIds: subscriptionIdentifiers?.map(String) ?? this.#matching(destination),
    });
  }

  #matching(topic) {
    return [...this.#subscriptions].filter(([, filter]) => topicMatches(filter, topic)).map(([id]) => id);
  }

  #onAnswer({ type, packetId, reasonCode, properties }) {
    const text = explain(`${type.toUpperCase()} ${reasonText(reasonCode)}`, properties.reasonString);
    if (reasonCode >= REFUSAL) {
      this.#requests.reject(packetId, text);
      return;
    }
    this.#requests.resolve(packetId, `${text} after ${this.#requests.waited(packetId)}`);
  }

  /** Who was taken over stays away: two of one name would throw each other out for ever. */
  #onDisconnect({ reasonCode, properties }) {
    this.#refused ||= reasonCode === TAKEN_OVER;
    this.#lastError = explain(`DISCONNECT ${reasonText(reasonCode)}`, properties.reasonString);
    this.#events.problem(this.#lastError);
  }

  /** PINGREQ in half of the time after which the server would take this client for dead. */
  #startPinging(intervalS) {
    if (!intervalS) {
      return;
    }
    this.#timer = setInterval(() => {
      if (performance.now() - this.#heardAt > 1500 * intervalS) {
        this.#fail(`Nothing came from the broker for ${Math.round(1.5 * intervalS)} s, not even a PINGRESP`);
      } else {
        this.#send({ type: 'pingreq' });
      }
    }, 500 * intervalS);
  }

  #fail(text) {
    this.#failed = true;
    this.#lastError = text;
    this.#events.problem(text);
    this.#socket.close();
  }

  #closed(event, wasOpen) {
    clearInterval(this.#timer);
    const reason = closeText(event, wasOpen, this.#options.url);
    this.#requests.rejectAll(this.#lastError || reason);
    const said = event.code === 1000 && this.#lastError !== '';
    this.#events.closed({ text: said ? '' : reason, refused: this.#refused });
  }
}

function publishProperties({ contentType, headers, replyTo, correlation, expiresS }) {
  return {
    contentType: contentType || undefined,
    responseTopic: replyTo || undefined,
    correlationData: correlation ? encodeText(correlation) : undefined,
    messageExpiryInterval: expiresS ? Math.ceil(expiresS) : undefined,
    userProperties: headers.length ? headers : undefined,
  };
}

function explain(text, reasonString) {
  return reasonString ? `${text}: ${reasonString}` : text;
}
