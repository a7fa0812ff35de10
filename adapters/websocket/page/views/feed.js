/** The feed: two lists (messages, and what went over the wire), their tools, and the selected item. */

import { preview } from '../data/body.js';
import { Feed } from '../data/feed.js';
import { Rate } from '../data/rate.js';
import { Detail } from './detail.js';
import { byId, element, oncePerFrame } from './dom.js';
import { countText } from './format.js';
import { List } from './list.js';
import { drawMeter } from './meter.js';
import { fillMessage, fillWire } from './rows.js';

/** What an item takes beside its bytes, roughly. */
const ITEM_BYTES = 500;

/** How much of a body a filter looks through. */
const SEARCHED_LETTERS = 2000;

export class FeedView {
  #feeds = {
    messages: new Feed(({ body }) => body.length + ITEM_BYTES, messageText),
    wire: new Feed(({ raw }) => raw.length + ITEM_BYTES, wireText),
  };
  #lists;
  #detail;
  #tab = 'messages';
  #rate = new Rate(Date.now());
  #bytes = 0;
  #drawSoon = oncePerFrame(() => this.#draw());

  /** actions: settle(message, how), draft(message), copy(text), hint(): what an empty list says. */
  constructor(actions) {
    this.actions = actions;
    this.#detail = new Detail(byId('detail'), { ...actions, close: () => this.closeDetail() });
    this.#lists = {
      messages: this.#list('messages', fillMessage, (message) => this.#detail.showMessage(message)),
      wire: this.#list('wire', fillWire, (entry) => this.#detail.showFrame(entry)),
    };
    for (const tab of ['messages', 'wire']) {
      byId(`tab-${tab}`).addEventListener('click', () => this.show(tab));
      byId(`tab-${tab}`).addEventListener('keydown', (event) => this.#tabKey(event));
    }
    byId('filter').addEventListener('input', ({ target }) => this.#setFilter(target.value));
    byId('pause').addEventListener('click', () => this.togglePause());
    byId('follow').addEventListener('click', () => this.toggleFollow());
    byId('clear').addEventListener('click', () => this.clear());
    new ResizeObserver(this.#drawSoon).observe(byId('panel'));
    setInterval(() => this.#tick(), 1000);
    this.#drawSoon();
  }

  message(message) {
    message.time = Date.now();
    this.#rate.count();
    this.#bytes += message.body.length;
    this.#feeds.messages.push(message);
    this.#drawSoon();
  }

  wire(direction, entry) {
    this.#feeds.wire.push({ ...entry, direction, time: Date.now() });
    this.#drawSoon();
  }

  redraw() {
    this.#drawSoon();
  }

  /** Shows one of the lists, 'messages' or 'wire', and gives it the focus if `focus`. */
  show(tab, focus = false) {
    if (tab !== this.#tab) {
      this.#tab = tab;
      this.closeDetail();
      for (const each of ['messages', 'wire']) {
        byId(`tab-${each}`).setAttribute('aria-selected', String(each === tab));
        byId(`tab-${each}`).tabIndex = each === tab ? 0 : -1;
        byId(each).hidden = each !== tab;
      }
      byId('panel').setAttribute('aria-labelledby', `tab-${tab}`);
      byId('filter').value = this.#feed.filterText;
      this.#drawTools();
      this.#draw();
    }
    if (focus) {
      byId(tab).focus();
    }
  }

  /** Says whether there was something to close. */
  closeDetail() {
    const wasOpen = this.#detail.open;
    const hadFocus = byId('detail').contains(document.activeElement);
    this.#detail.close();
    this.#lists[this.#tab].deselect();
    if (hadFocus) {
      byId(this.#tab).focus();
    }
    return wasOpen;
  }

  togglePause() {
    this.#feed.setPaused(!this.#feed.paused);
    this.#drawTools();
    this.#drawSoon();
  }

  toggleFollow() {
    const list = this.#lists[this.#tab];
    list.setFollowing(!list.following);
    this.#drawTools();
    this.#drawSoon();
  }

  clear() {
    this.#feed.clear();
    if (this.#tab === 'messages') {
      this.#bytes = 0;
    }
    this.closeDetail();
    this.#drawSoon();
  }

  /** The selected message was settled. */
  refreshDetail(message) {
    if (this.#lists.messages.selected === message) {
      this.#detail.showMessage(message);
    }
  }

  get #feed() {
    return this.#feeds[this.#tab];
  }

  #list(name, fill, chosen) {
    return new List(byId(name), { fill, chosen, followed: () => this.#drawTools() });
  }

  #setFilter(text) {
    this.#feed.setFilter(text);
    this.#drawSoon();
  }

  #tabKey(event) {
    if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      const other = this.#tab === 'messages' ? 'wire' : 'messages';
      this.show(other);
      byId(`tab-${other}`).focus();
    }
  }

  #drawTools() {
    byId('pause').setAttribute('aria-pressed', String(this.#feed.paused));
    byId('follow').setAttribute('aria-pressed', String(this.#lists[this.#tab].following));
  }

  #draw() {
    const { shown, held } = this.#feed;
    this.#lists[this.#tab].draw(shown);
    byId('count-messages').textContent = countText(this.#feeds.messages.total);
    byId('count-wire').textContent = countText(this.#feeds.wire.total);
    byId('held').hidden = !this.#feed.paused;
    byId('held').textContent = held ? `Paused · ${countText(held)} new` : 'Paused';
    this.#drawEmpty(shown.length === 0);
    this.actions.drawn();
  }

  #drawEmpty(isEmpty) {
    byId('empty').hidden = !isEmpty;
    if (!isEmpty) {
      return;
    }
    const { title, text } = this.#feed.filtering && this.#feed.total
      ? { title: 'Nothing matches the filter', text: [`${countText(this.#feed.total)} came in all.`] }
      : this.actions.hint(this.#tab);
    byId('empty-title').textContent = title;
    byId('empty-text').replaceChildren(...text.map((part) => (typeof part === 'string' ? part : element('code', {}, part.code))));
  }

  #tick() {
    this.#rate.advance(Date.now());
    drawMeter(this.#rate, this.#bytes);
  }
}

function messageText({ destination, body, properties, marks }) {
  const words = properties.map(([name, value]) => `${name}: ${value}`);
  return [destination, ...marks, ...words, preview(body, SEARCHED_LETTERS)].join('\n').toLowerCase();
}

function wireText({ name, summary }) {
  return `${name} ${summary()}`.toLowerCase();
}
