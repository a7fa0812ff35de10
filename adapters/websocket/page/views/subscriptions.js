/** The form and the list of subscriptions. */

import { PROTOCOLS } from '../protocol/protocols.js';
import { button, byId, element } from './dom.js';
import { countText } from './format.js';

const STATUS_WORDS = { active: 'active', pending: 'pending', failed: 'failed', idle: 'not connected' };

export class SubscriptionsView {
  #form = byId('subscribe');
  #list = byId('subscriptions');
  #items = new Map();

  /** actions: add(destination, mode, prefetch), remove(subscription). */
  constructor(actions) {
    this.actions = actions;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { destination, mode, qos, prefetch } = this.#form.elements;
      const isStomp = this.protocol === 'stomp';
      actions.add(destination.value.trim(), isStomp ? mode.value : qos.value, isStomp ? Number(prefetch.value) || 0 : 0);
      destination.value = '';
      destination.focus();
    });
  }

  setProtocol(protocol) {
    this.protocol = protocol;
    const { family, example } = PROTOCOLS[protocol];
    byId('subscribe-label').textContent = family === 'stomp' ? 'Destination' : 'Topic filter';
    byId('mode-label').textContent = family === 'stomp' ? 'Acknowledge' : 'At most';
    this.#form.elements.destination.placeholder = example;
    byId('subscriptions-hint').replaceChildren(
      ...(family === 'stomp'
        ? [code('/queue/NAME'), ' is a queue, ', code('/topic/a.*'), ' a topic, ', code('/exchange/NAME/KEY'), ' an exchange.']
        : [code('+'), ' stands for one level, ', code('#'), ' for all below; ', code('$queue/NAME'), ' is a queue.']),
    );
  }

  focus() {
    byId('subscriptions-card').open = true;
    this.#form.elements.destination.focus();
  }

  draw(subscriptions) {
    const known = new Set(subscriptions);
    for (const [subscription, item] of this.#items) {
      if (!known.has(subscription)) {
        this.#forget(subscription, item);
      }
    }
    for (const subscription of subscriptions) {
      this.#drawOne(subscription);
    }
    byId('subscriptions-note').textContent = subscriptions.length ? String(subscriptions.length) : '';
    byId('subscriptions-hint').hidden = subscriptions.length > 0;
  }

  #drawOne(subscription) {
    if (!this.#items.has(subscription)) {
      this.#items.set(subscription, this.#make(subscription));
    }
    const { item, note, count, dot } = this.#items.get(subscription);
    item.dataset.status = subscription.status;
    dot.setAttribute('aria-label', STATUS_WORDS[subscription.status]);
    note.textContent = subscription.note;
    count.textContent = countText(subscription.count);
  }

  #make(subscription) {
    const dot = element('span', { class: 'dot', role: 'img' });
    const note = element('span', { class: 'note' });
    const count = element('span', { class: 'badge', title: 'Messages received' });
    const name = element('span', { class: 'name', title: subscription.destination }, subscription.destination);
    const label = `Unsubscribe from ${subscription.destination}`;
    const remove = button('×', { class: 'quiet', 'aria-label': label, title: label }, () => this.actions.remove(subscription));
    const item = element('li', {}, dot, name, count, note, remove);
    this.#list.append(item);
    return { item, note, count, dot };
  }

  /** Removes an item; who had the focus on its button gets it on the field. */
  #forget(subscription, { item }) {
    const hadFocus = item.contains(document.activeElement);
    item.remove();
    this.#items.delete(subscription);
    if (hadFocus) {
      this.focus();
    }
  }
}

function code(text) {
  return element('code', {}, text);
}
