/** What a room is opened with: its place, the API, who asks, and polling that ends when one leaves. */

import { may } from './data/login.js';
import { link, path } from './data/paths.js';
import { element, linkTo } from './views/dom.js';

export class Room {
  /** shell: what all rooms share. names: those in the address. query: what stands behind its `?`. signal: aborted on leaving. */
  constructor(shell, { room, names, query, place, signal }) {
    Object.assign(this, { shell, names, query, place, signal, api: shell.api, offers: shell.offers, vhost: shell.vhost });
    this.title = room.title;
    this.about = room;
    this.isOne = Object.keys(names).length > 0;
    this.refreshes = [];
  }

  /** Whether the user may do what takes this tag. */
  may(tag) {
    return may(this.shell.who.tags, tag);
  }

  /** The virtual host for what is made here. */
  get vhostOrFirst() {
    return this.vhost || (this.shell.vhosts.includes('/') ? '/' : this.shell.vhosts[0] ?? '/');
  }

  /** Options of a field for a virtual host. */
  get vhosts() {
    return this.shell.vhosts;
  }

  /** An address of a list: of the chosen virtual host, or of all. */
  listPath(list, within = (vhost) => path`/${list}/${vhost}`) {
    return this.vhost ? within(this.vhost) : `/${list}`;
  }

  /** Has `work(signal)` done now and then again; see Clock.repeat. */
  poll(work) {
    const refresh = this.shell.clock.repeat(work, this.signal, {
      failed: (error) => this.failed(error),
      worked: () => this.shell.worked(),
    });
    this.refreshes.push(refresh);
    return refresh;
  }

  /** Everything here anew, at once. */
  async refresh() {
    await Promise.all(this.refreshes.map((each) => each()));
  }

  failed(error) {
    if (error.status === 404 && this.isOne) {
      this.gone(error.message);
    } else {
      this.shell.failed(error);
    }
  }

  /** What the room is about isn't there, or not any more. */
  gone(reason) {
    const back = link(...(this.about.back ?? this.about.at.filter((part) => !part.startsWith(':'))));
    const text = element('p', { role: 'status' }, `${reason}.`.replace(/\.\.$/, '.'));
    this.leave();
    this.place.replaceChildren(this.heading(this.title), element('div', { class: 'box empty-room' }, text, linkTo(back, this.about.back ? 'Back' : 'Back to the list', { class: 'button' })));
  }

  /** Ends the polling. */
  leave() {
    this.shell.endPolling();
  }

  go(...parts) {
    location.hash = link(...parts);
  }

  /** The room's heading. over: a link above it. marks: badges beside it. actions: buttons. */
  heading(title, { over = null, marks = [], actions = [] } = {}) {
    document.title = `${title || '(default)'} · Warren`;
    const heading = element('h1', { tabindex: '-1' }, title);
    const words = element('div', { class: 'heading-words' }, ...(over ? [element('div', { class: 'over' }, over)] : []), element('div', { class: 'heading-line' }, heading, ...marks));
    return element('div', { class: 'heading' }, words, element('div', { class: 'heading-actions' }, ...actions));
  }

  show(...children) {
    this.place.replaceChildren(...children);
  }
}
