/** MQTT packets in words: the properties of a message, and the log of what went over the wire. */

import { hexDump, preview, textOf } from '../data/body.js';
import { EMPTY } from '../data/bytes.js';
import { grantText, reasonText } from './mqtt_reason_codes.js';

/** “messageExpiryInterval” as “message-expiry-interval”. */
function spelled(name) {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function valueText(value) {
  if (value instanceof Uint8Array) {
    return textOf(value) ?? hexDump(value);
  }
  return Array.isArray(value) ? value.join(', ') : String(value);
}

/** Properties as [name, value] in text; user properties come last, under their own names. */
function propertyRows({ userProperties = [], ...others }) {
  const given = Object.entries(others).filter(([, value]) => value !== undefined);
  return [...given.map(([name, value]) => [spelled(name), valueText(value)]), ...userProperties];
}

/** What is shown as the properties of a message. */
export function messageProperties({ properties }) {
  const { topicAlias, subscriptionIdentifiers, ...shown } = properties;
  return propertyRows(shown);
}

/** In one line: what a packet is about. */
export function describePacket(packet) {
  const identifier = packet.packetId ? `#${packet.packetId}  ` : '';
  switch (packet.type) {
    case 'publish':
      return `${identifier}${packet.topic || `alias ${packet.properties.topicAlias}`}  QoS ${packet.qos}${
        packet.retain ? ' retain' : ''}  ${preview(packet.payload)}`;
    case 'subscribe':
      return identifier + packet.subscriptions.map(({ filter, qos }) => `${filter} QoS ${qos}`).join(', ');
    case 'unsubscribe':
      return identifier + packet.filters.join(', ');
    case 'suback':
      return identifier + packet.reasonCodes.map(grantText).join(', ');
    case 'unsuback':
      return identifier + packet.reasonCodes.map(reasonText).join(', ');
    case 'connect':
      return `client ${packet.clientId || 'unnamed'}, user ${packet.username ?? 'none'}, keep-alive ${packet.keepAlive} s`;
    case 'pingreq':
    case 'pingresp':
      return '';
    default:
      return identifier + reasonText(packet.reasonCode ?? 0);
  }
}

const NOT_FIELDS = new Set(['type', 'raw', 'properties', 'payload', 'password', 'subscriptions']);

function fieldRows(packet) {
  const own = Object.entries(packet).filter(([name, value]) => !NOT_FIELDS.has(name) && value !== undefined);
  return [
    ...own.map(([name, value]) => [spelled(name), name === 'reasonCode' ? reasonText(value) : valueText(value)]),
    ...(packet.subscriptions ?? []).map(({ filter, qos }) => ['subscription', `${filter}, QoS ${qos}`]),
    ...propertyRows(packet.properties ?? {}),
  ];
}

/** An entry of the log. Of CONNECT, the password is kept back, and so are the bytes that hold it. */
export function packetEntry(packet) {
  return {
    name: packet.type.toUpperCase(),
    size: packet.raw.length,
    summary: () => describePacket(packet),
    fields: () => fieldRows(packet),
    body: packet.payload ?? EMPTY,
    raw: packet.type === 'connect' ? EMPTY : packet.raw,
  };
}
