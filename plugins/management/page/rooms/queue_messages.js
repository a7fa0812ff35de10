/** Looking into a queue: browsing leaves everything as it is; getting takes messages, and puts them back or not. */

import { path } from '../data/paths.js';
import { button, card, element } from '../views/dom.js';
import { makeField } from '../views/fields.js';
import { makeForm } from '../views/form.js';
import { messageView } from '../views/message_view.js';
import { StreamBrowser } from './stream_messages.js';

/** Of a body; who wants all of a long one consumes it. */
const BODY_BYTES = 64 * 1024;

const BROWSED = 20;

const MODES = [
  ['ack_requeue_true', 'put them back (nack)'],
  ['ack_requeue_false', 'remove them (ack)'],
  ['reject_requeue_true', 'put them back (reject)'],
  ['reject_requeue_false', 'drop or dead-letter them (reject)'],
];

const STREAMS = 'Nobody takes messages out of a stream, so basic.get and queue.purge are refused (540 NOT_IMPLEMENTED). Read it here, or consume it from any offset.';

export function queueMessages(room, vhost, name, type) {
  const streams = type === 'stream';
  const parts = [card('Get messages', {}, streams ? element('p', { class: 'hint' }, STREAMS) : getForm(room, vhost, name))];
  if (streams && room.offers.has('GET', '/queues/{vhost}/{queue}/stream')) {
    parts.unshift(new StreamBrowser(room, vhost, name).place);
  } else if (!streams && room.offers.has('GET', '/queues/{vhost}/{queue}/messages')) {
    parts.unshift(new Browser(room, vhost, name).place);
  }
  return element('div', {}, ...parts);
}

/** A page of messages at a time, none of which is taken. */
class Browser {
  /** Where earlier pages began, the one in sight last. */
  #offsets = [];
  #next = 0;
  #list = element('div', { class: 'messages', 'aria-live': 'polite' });
  #state = makeField({ name: 'state', label: 'Which', kind: 'select', options: [['ready', 'ready'], ['unacknowledged', 'unacknowledged']] });
  #back = button('Earlier', { class: 'small' }, () => this.#look(this.#offsets.slice(0, -2), this.#offsets.at(-2) ?? 0));
  #on = button('Later', { class: 'small' }, () => this.#look(this.#offsets, this.#next));
  #error = element('p', { class: 'form-error', role: 'alert' });

  constructor(room, vhost, name) {
    Object.assign(this, { room, address: path`/queues/${vhost}/${name}/messages` });
    this.#back.disabled = true;
    this.#on.disabled = true;
    const look = button('Browse', { class: 'primary', id: 'browse' }, () => this.#look([], 0));
    const bar = element('div', { class: 'line wrap ends' }, this.#state.place, look, this.#back, this.#on);
    this.place = card('Browse', { note: 'nothing is taken out' }, bar, this.#error, this.#list);
  }

  async #look(before, offset) {
    this.#error.textContent = '';
    try {
      const page = await this.room.api.get(this.address, { offset, count: BROWSED, state: this.#state.read(), truncate: BODY_BYTES });
      this.#offsets = [...before, offset];
      this.#next = page.next_offset;
      const views = page.items.map((message, index) => messageView(message, titleOf(message, index), { extra: extras(message) }));
      this.#list.replaceChildren(...(views.length ? views : [element('p', { class: 'nothing' }, offset ? 'There are no more.' : 'There are none.')]));
      this.#back.disabled = this.#offsets.length < 2;
      this.#on.disabled = this.#state.read() !== 'ready' || page.next_offset >= page.messages_ready;
    } catch (error) {
      this.#error.textContent = error.message;
    }
  }
}

function titleOf({ position }, index) {
  return `Message ${(position ?? index) + 1}`;
}

function extras({ delivery_count: count, connection, consumer_tag: tag }) {
  return [
    ['Given back', count ? `${count} times` : null],
    ['Held by', connection ?? null],
    ['Consumer', tag ?? null],
  ];
}

function getForm(room, vhost, name) {
  const list = element('div', { class: 'messages' });
  const { form } = makeForm({
    label: 'Get messages',
    submit: 'Get',
    keeps: true,
    fields: [
      { name: 'count', label: 'How many', kind: 'number', min: 1, max: 1000, value: 1, required: true },
      { name: 'ackmode', label: 'and then', kind: 'select', options: MODES },
      { name: 'encoding', label: 'Bodies', kind: 'select', options: [['auto', 'text where they are'], ['base64', 'base64 always']] },
    ],
    action: async ({ count, ackmode, encoding }) => {
      const messages = await room.api.post(path`/queues/${vhost}/${name}/get`, { count, ackmode, encoding, truncate: BODY_BYTES });
      list.replaceChildren(...messages.map((message, index) => messageView(message, `Message ${index + 1}`)));
      await room.refresh();
      return messages.length ? `${messages.length} ${messages.length === 1 ? 'message' : 'messages'}` : 'The queue is empty.';
    },
  });
  return element('div', {}, form, list);
}
