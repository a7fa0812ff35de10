/** Bindings of one queue or exchange as a list, with what adds and removes them. */

import { exchangeName, link, path } from '../data/paths.js';
import { button, element, linkTo } from './dom.js';
import { argumentList } from './facts.js';
import { confirmFirst } from './form.js';
import { plainTable } from './plain_table.js';
import { toast } from './toasts.js';

/** The address of bindings from an exchange to a queue or an exchange. */
export function bindingsPath(vhost, source, type, destination) {
  return type === 'queue' ? path`/bindings/${vhost}/e/${exchangeName(source)}/q/${destination}` : path`/bindings/${vhost}/e/${exchangeName(source)}/e/${exchangeName(destination)}`;
}

/** A link to what stands at one end of a binding. */
export function endLink(vhost, type, name) {
  const text = name === '' ? '(default exchange)' : name;
  return element('span', {}, linkTo(link(type === 'queue' ? 'queues' : 'exchanges', vhost, type === 'queue' ? name : exchangeName(name)), text), element('span', { class: 'muted' }, ` ${type}`));
}

export class BindingList {
  place = element('div');
  #shown = '';

  /** end: 'source' or 'destination', which of the two is to be shown. */
  constructor(room, { label, end, nothing }) {
    Object.assign(this, { room, label, end, nothing });
  }

  show(bindings) {
    const signature = JSON.stringify(bindings);
    if (signature === this.#shown) {
      return;
    }
    this.#shown = signature;
    if (!bindings.length) {
      this.place.replaceChildren(element('p', { class: 'nothing' }, this.nothing));
      return;
    }
    const rows = bindings.map((binding) => [
      this.end === 'source' ? endLink(binding.vhost, 'exchange', binding.source) : endLink(binding.vhost, binding.destination_type, binding.destination),
      element('code', {}, binding.routing_key || '(empty)'),
      argumentList(binding.arguments),
      binding.source === '' ? element('span', { class: 'muted' }, 'always') : button('Unbind', { class: 'small', 'aria-label': `Unbind ${binding.routing_key}` }, () => this.#unbind(binding)),
    ]);
    this.place.replaceChildren(plainTable(this.label, [this.end === 'source' ? 'From' : 'To', 'Key', 'Arguments', ''], rows));
  }

  #unbind(binding) {
    const { vhost, source, destination, destination_type: type, routing_key: key, properties_key: properties } = binding;
    confirmFirst({
      title: 'Remove this binding?',
      about: `From exchange ${source} to ${type} ${destination}, key “${key}”.`,
      submit: 'Unbind',
      action: async () => {
        await this.room.api.delete(bindingsPath(vhost, source, type, destination) + path`/${properties}`);
        await this.room.refresh();
        toast('The binding is gone.');
      },
    });
  }
}
