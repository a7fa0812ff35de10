/** What stands around the rooms: navigation, choices, alarms; opens the room that the address names. */

import { may } from './data/login.js';
import { Offers } from './data/offers.js';
import { parseFragment } from './data/paths.js';
import { Clock } from './data/polling.js';
import { recall, remember } from './data/remembered.js';
import { SPAN } from './data/samples.js';
import { Trends } from './data/trends.js';
import { Room } from './room.js';
import { findRoom } from './rooms.js';
import { showAlarms } from './views/alarms.js';
import { byId, element, setText } from './views/dom.js';
import { Navigation } from './views/navigation.js';

const REFRESH_MS = 5000;

/** What charts of the whole broker show; counted wherever one is, so that their lines go on. */
export const RATES = ['publish', 'confirm', 'deliver_get', 'redeliver', 'ack', 'return_unroutable', 'drop_unroutable'];

export class Shell {
  #open = null;
  #leaving = null;
  #navigation = new Navigation();

  constructor({ logOut }) {
    this.clock = new Clock(REFRESH_MS);
    this.vhost = '';
    this.vhosts = [];
    byId('log-out').addEventListener('click', logOut);
    byId('vhost').addEventListener('change', ({ target }) => this.#chooseVhost(target.value));
    const refresh = byId('refresh');
    const known = String(recall('refresh', REFRESH_MS));
    refresh.value = [...refresh.options].some(({ value }) => value === known) ? known : String(REFRESH_MS);
    this.clock.intervalMs = Number(refresh.value);
    refresh.addEventListener('change', () => {
      remember('refresh', Number(refresh.value));
      this.clock.intervalMs = Number(refresh.value);
    });
    byId('skip').addEventListener('click', (event) => {
      event.preventDefault();
      byId('main').focus();
    });
    addEventListener('hashchange', () => this.#open && this.#enter());
  }

  /** After the login. who: of /whoami. password: for rooms that log in by themselves. */
  async open(api, who, password) {
    Object.assign(this, { api, who, password });
    this.#open = new AbortController();
    this.trends = new Trends('overview', RATES);
    setText(byId('who'), who.name);
    setText(byId('tags'), who.tags.join(', '));
    const [document_, vhosts] = await Promise.all([api.get('/openapi.json').catch(() => null), api.get('/vhosts', { columns: 'name' }).catch(() => [])]);
    this.offers = new Offers(document_);
    this.#showVhosts(vhosts.map(({ name }) => name));
    byId('shell').hidden = false;
    /** The broker as a whole anew, at once. */
    this.look = this.clock.repeat((signal) => this.#watch(signal), this.#open.signal, { failed: (error) => this.failed(error), worked: () => this.worked() });
    this.#enter(false);
  }

  close() {
    this.#open?.abort();
    this.#open = null;
    this.#leaving?.abort();
    byId('main').replaceChildren();
    byId('shell').hidden = true;
    setText(byId('trouble'), '');
  }

  endPolling() {
    this.#leaving?.abort();
  }

  /** A request of a room's polling failed. */
  failed(error) {
    if (error.status === 401 && error.message === 'Login failed') {
      dispatchEvent(new CustomEvent('warren-login-refused', { detail: 'The broker doesn’t take this login any more.' }));
    } else if (error.status === undefined) {
      console.error(error);
      setText(byId('trouble'), `This page has a fault: ${error.message}`);
    } else {
      setText(byId('trouble'), error.status === 0 ? `${error.message} Trying again.` : error.message);
    }
  }

  worked() {
    setText(byId('trouble'), '');
  }

  /** The broker as a whole, wherever one is: its charts go on, and an alarm is seen everywhere. */
  async #watch(signal) {
    const overview = await this.api.get('/overview', SPAN, { signal });
    this.trends.add(overview.queue_totals, overview.message_stats, Date.now());
    setText(byId('cluster'), overview.cluster_name);
    const nodes = this.may('monitoring') ? await this.api.get('/nodes', {}, { signal }) : [];
    showAlarms(nodes);
    this.overview = overview;
    this.nodes = nodes;
    dispatchEvent(new CustomEvent('warren-overview'));
  }

  /** The present room anew, after its polling was ended. */
  enterAgain() {
    this.#enter(false);
  }

  may(tag) {
    return may(this.who.tags, tag);
  }

  async reloadVhosts() {
    const vhosts = await this.api.get('/vhosts', { columns: 'name' });
    this.#showVhosts(vhosts.map(({ name }) => name));
  }

  #showVhosts(names) {
    this.vhosts = names.sort();
    const known = recall('vhost', '');
    this.vhost = names.includes(known) ? known : '';
    byId('vhost').replaceChildren(element('option', { value: '' }, 'all'), ...names.map((name) => element('option', { value: name }, name)));
    byId('vhost').selectedIndex = names.indexOf(this.vhost) + 1;
  }

  #chooseVhost() {
    this.vhost = this.vhosts[byId('vhost').selectedIndex - 1] ?? '';
    remember('vhost', this.vhost);
    this.#enter(false);
  }

  /** Opens the room of the address. moved: somebody went there, so the focus goes along. */
  async #enter(moved = true) {
    this.#leaving?.abort();
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    const { parts, query } = parseFragment(location.hash);
    const found = findRoom(parts);
    const main = byId('main');
    this.#navigation.show(this, parts);
    // A room that is loaded slowly must not draw over the next one.
    const place = element('div', { class: 'room' });
    main.replaceChildren(place);
    if (!found) {
      place.append(element('h1', { tabindex: '-1' }, 'There is no such room'), element('p', {}, 'The navigation has those that there are.'));
    } else {
      await this.#fill(new Room(this, { ...found, query, place, signal }), found.room);
    }
    if (moved && !signal.aborted) {
      scrollTo(0, 0);
      place.querySelector('h1')?.focus({ preventScroll: true });
    }
  }

  async #fill(room, { title, tag, operation, load }) {
    if (tag && !this.may(tag)) {
      room.show(room.heading(title), words(`This takes the tag ${tag}. ${this.who.name} has ${this.who.tags.join(', ') || 'none'}.`));
      return;
    }
    if (operation && !this.offers.has(...operation)) {
      room.show(room.heading(title), words(`This broker’s API doesn’t offer that: it has no ${operation.join(' ')}.`));
      return;
    }
    try {
      const { open } = await load();
      if (!room.signal.aborted) {
        await open(room);
      }
    } catch (error) {
      if (!room.signal.aborted) {
        room.failed(error);
      }
    }
  }
}

function words(text) {
  return element('div', { class: 'box empty-room' }, element('p', {}, text));
}
