/** Permissions and topic permissions, of a user in all virtual hosts or of all users in a virtual host. */

import { exchangeName, link, path } from '../data/paths.js';
import { button, card, element, linkTo } from './dom.js';
import { openForm } from './form.js';
import { plainTable } from './plain_table.js';
import { toast } from './toasts.js';

const EVERYTHING = '.*';

/** of: { user } or { vhost }. { cards, update(signal) }. */
export function permissionCards(room, of) {
  const rights = new RightsList(room, of);
  const topics = new TopicList(room, of);
  return {
    cards: [rights.place, topics.place],
    update: (signal) => Promise.all([rights.update(signal), topics.update(signal)]),
  };
}

/** A list of permissions of one sort; what differs between the two is below. */
class PermissionList {
  #list = element('div');
  #shown = '';

  constructor(room, of, { title, note, add }) {
    Object.assign(this, { room, of, title: title.toLowerCase() });
    this.base = of.user === undefined ? path`/vhosts/${of.vhost}` : path`/users/${of.user}`;
    this.place = card(title, { note, actions: [button(add, { class: 'small' }, () => this.edit(null))] }, this.#list);
  }

  async update(signal) {
    const found = await this.room.api.get(`${this.base}/${this.what}`, {}, { signal });
    const signature = JSON.stringify(found);
    if (signature === this.#shown) {
      return;
    }
    this.#shown = signature;
    const rows = found.map((each) => [this.#otherEnd(each), ...this.cells(each), this.#buttons(each)]);
    const titles = [this.of.user === undefined ? 'User' : 'Virtual host', ...this.titles, ''];
    this.#list.replaceChildren(rows.length ? plainTable(this.what, titles, rows) : element('p', { class: 'nothing' }, this.nothing));
  }

  #otherEnd({ user, vhost }) {
    return this.of.user === undefined ? linkTo(link('users', user), user) : linkTo(link('vhosts', vhost), vhost);
  }

  #buttons(each) {
    const of = this.of.user === undefined ? `of ${each.user}` : `in ${each.vhost}`;
    const change = button('Change', { class: 'small', 'aria-label': `Change ${this.title} ${of}` }, () => this.edit(each));
    const remove = button('Remove', { class: 'small danger-quiet', 'aria-label': `Remove ${this.title} ${of}` }, () => this.#remove(each));
    return element('span', { class: 'card-actions' }, change, remove);
  }

  async #remove(each) {
    try {
      await this.room.api.delete(this.address(each));
      await this.room.refresh();
      toast('Removed.');
    } catch (error) {
      toast(error.message, 'bad');
    }
  }

  /** The field for whichever of user and virtual host isn't given. */
  endField(each) {
    return this.of.user === undefined
      ? { name: 'user', label: 'User', required: true, value: each?.user ?? '' }
      : { name: 'vhost', label: 'Virtual host', kind: 'select', options: this.room.vhosts, value: each?.vhost ?? this.room.vhostOrFirst };
  }
}

class RightsList extends PermissionList {
  what = 'permissions';
  titles = ['Configure', 'Write', 'Read'];
  nothing = 'None: no virtual host may be entered.';

  constructor(room, of) {
    super(room, of, { title: 'Permissions', note: 'patterns of names', add: 'Add permissions' });
    this.nothing = of.user === undefined ? 'Nobody may enter it.' : 'None: the user may enter no virtual host.';
  }

  cells({ configure, write, read }) {
    return [configure, write, read].map((pattern) => element('code', {}, pattern === '' ? '(nothing)' : pattern));
  }

  address({ vhost, user }) {
    return path`/permissions/${vhost}/${user}`;
  }

  edit(each) {
    openForm({
      title: 'Permissions',
      about: 'Each is a regular expression of names; .* is everything, and nothing is nothing.',
      submit: 'Save',
      fields: [this.endField(each), ...['configure', 'write', 'read'].map((name) => ({ name, label: this.titles[['configure', 'write', 'read'].indexOf(name)], value: each?.[name] ?? EVERYTHING }))],
      action: async ({ configure, write, read, ...end }) => {
        await this.room.api.put(this.address({ ...this.of, ...end }), { configure, write, read });
        await this.room.refresh();
        return 'The permissions are saved.';
      },
    });
  }
}

class TopicList extends PermissionList {
  what = 'topic-permissions';
  titles = ['Exchange', 'Write', 'Read'];
  nothing = 'None: every routing key may be used.';

  constructor(room, of) {
    super(room, of, { title: 'Topic permissions', note: 'patterns of routing keys', add: 'Add topic permissions' });
  }

  cells({ exchange, write, read }) {
    return [exchange || '(default)', element('code', {}, write), element('code', {}, read)];
  }

  address({ vhost, user, exchange }) {
    return path`/topic-permissions/${vhost}/${user}/${exchangeName(exchange)}`;
  }

  edit(each) {
    openForm({
      title: 'Topic permissions',
      about: 'Regular expressions of the routing keys that may be used with a topic exchange.',
      submit: 'Save',
      fields: [
        this.endField(each),
        { name: 'exchange', label: 'Exchange', required: true, value: each?.exchange ?? 'amq.topic' },
        { name: 'write', label: 'Write', value: each?.write ?? EVERYTHING },
        { name: 'read', label: 'Read', value: each?.read ?? EVERYTHING },
      ],
      action: async ({ exchange, write, read, ...end }) => {
        const { vhost, user } = { ...this.of, ...end };
        await this.room.api.put(path`/topic-permissions/${vhost}/${user}`, { exchange, write, read });
        await this.room.refresh();
        return 'The topic permissions are saved.';
      },
    });
  }
}
