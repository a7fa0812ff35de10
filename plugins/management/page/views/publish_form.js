/** Publishing one message, for trying out; the answer says whether a queue took it. */

import { exchangeName, path } from '../data/paths.js';
import { makeForm } from './form.js';

const KNOWN_PROPERTIES = [
  ['content_type', 'text', 'application/json', 'What the body is'],
  ['message_id', 'text', '', 'A name for the message'],
  ['correlation_id', 'text', '', 'What it answers'],
  ['reply_to', 'text', '', 'Where an answer goes'],
  ['expiration', 'text', '60000', 'Dropped after so many milliseconds'],
  ['priority', 'number', '5', '0 to 255'],
  ['type', 'text', '', 'What kind of message it is'],
  ['app_id', 'text', '', 'What has sent it'],
];

const KNOWN_HEADERS = [['x-delay', 'number', '5000', 'Milliseconds that an exchange of type x-delayed-message keeps it']];

/** vhost, exchange: where to. routingKey: what is in the field, fixed where it is a queue's. */
export function publishForm(room, { vhost, exchange, routingKey = '', asksForKey = true, done = () => {} }) {
  const key = asksForKey ? [{ name: 'key', label: 'Routing key', value: routingKey }] : [];
  const { form } = makeForm({
    label: 'Publish a message',
    submit: 'Publish',
    keeps: true,
    fields: [
      ...key,
      { name: 'payload', label: 'Body', kind: 'area', rows: 5 },
      { name: 'encoding', label: 'The body is', kind: 'select', options: [['string', 'text'], ['base64', 'base64']] },
      { name: 'persistent', label: 'Persistent', kind: 'check', value: true, hint: 'It survives a restart in durable queues.' },
      { name: 'headers', label: 'Headers', kind: 'table', addText: 'Add a header', known: KNOWN_HEADERS },
      { name: 'properties', label: 'Properties', kind: 'table', addText: 'Add a property', known: KNOWN_PROPERTIES },
    ],
    action: async ({ key: given, payload, encoding, persistent, headers, properties }) => {
      const { routed } = await room.api.post(path`/exchanges/${vhost}/${exchangeName(exchange)}/publish`, {
        routing_key: asksForKey ? given : routingKey,
        payload,
        payload_encoding: encoding,
        properties: { ...properties, delivery_mode: persistent ? 2 : 1, ...(Object.keys(headers).length ? { headers } : {}) },
      });
      done();
      return routed ? 'Published, and a queue has taken it.' : 'Published, but it reached no queue.';
    },
  });
  return form;
}
