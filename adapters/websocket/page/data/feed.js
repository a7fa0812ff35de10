/**
 * A stream of items as a list shows it: filtered, and standing still while it is paused.
 *
 * `all` goes on in any case; `shown` is what the list draws. Filtering happens as items come, so that a flood costs one
 * look at each.
 */

import { Bounded } from './bounded.js';

/** So many are kept: enough to scroll back through, little enough for any machine. */
const LENGTH_MAX = 10_000;

/** What they may weigh together: a few big ones must not fill the memory. */
const WEIGHT_MAX = 64 * 1024 * 1024;

export class Feed {
  /** How many came since the last clearing. */
  total = 0;
  paused = false;
  filterText = '';
  #all;
  #filtered = null;
  #still = null;
  #filter = null;

  /** weigh: an item's bytes. text: what a filter searches in an item, in lower case. */
  constructor(weigh, text) {
    this.weigh = weigh;
    this.text = text;
    this.#all = this.#empty();
  }

  get shown() {
    return this.#still ?? this.#filtered ?? this.#all;
  }

  get filtering() {
    return this.#filter !== null;
  }

  /** How many came while it stood still. */
  get held() {
    return this.#still ? (this.#filtered ?? this.#all).end - this.#still.end : 0;
  }

  push(item) {
    this.total += 1;
    this.#all.push(item);
    if (this.#filter && this.text(item).includes(this.#filter)) {
      this.#filtered.push(item);
    }
  }

  /** Show only what has this text in it; an empty one shows everything. Looks through what a pause holds, too. */
  setFilter(text) {
    this.filterText = text;
    this.#filter = text.trim().toLowerCase() || null;
    this.#filtered = this.#filter ? this.#empty() : null;
    if (this.#filter) {
      [...this.#all].filter((item) => this.text(item).includes(this.#filter)).forEach((item) => this.#filtered.push(item));
    }
    this.#still = this.paused ? (this.#filtered ?? this.#all).copy() : null;
  }

  setPaused(paused) {
    this.paused = paused;
    this.#still = paused ? this.shown.copy() : null;
  }

  clear() {
    this.total = 0;
    this.#all.clear();
    this.#filtered?.clear();
    this.#still?.clear();
  }

  #empty() {
    return new Bounded(LENGTH_MAX, WEIGHT_MAX, this.weigh);
  }
}
