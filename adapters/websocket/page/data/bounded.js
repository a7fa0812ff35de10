/**
 * The newest items of a stream: at most so many, and of at most so much weight.
 *
 * Items are counted from the first that ever came: `first` is the number of the oldest one that is kept, `end` one more than
 * that of the newest. A view can so tell which of its rows are still what they were.
 */

/** How many dropped items may lie in front before the array is cut. */
const SLACK = 1024;

export class Bounded {
  #items = [];
  #head = 0;
  #weight = 0;
  first = 0;

  constructor(lengthMax, weightMax = Infinity, weigh = () => 0) {
    this.lengthMax = lengthMax;
    this.weightMax = weightMax;
    this.weigh = weigh;
  }

  get length() {
    return this.#items.length - this.#head;
  }

  get end() {
    return this.first + this.length;
  }

  /** The item with this number, which must be kept still. */
  at(number) {
    return this.#items[this.#head + number - this.first];
  }

  push(item) {
    this.#items.push(item);
    this.#weight += this.weigh(item);
    while (this.length > this.lengthMax || (this.#weight > this.weightMax && this.length > 1)) {
      this.#drop();
    }
  }

  clear() {
    this.first = this.end;
    this.#items = [];
    this.#head = 0;
    this.#weight = 0;
  }

  *[Symbol.iterator]() {
    for (let number = this.first; number < this.end; number += 1) {
      yield this.at(number);
    }
  }

  /** The same items, which stay when this goes on. */
  copy() {
    const copy = new Bounded(this.lengthMax, this.weightMax, this.weigh);
    copy.first = this.first;
    copy.#items = this.#items.slice(this.#head);
    copy.#weight = this.#weight;
    return copy;
  }

  #drop() {
    this.#weight -= this.weigh(this.#items[this.#head]);
    this.#items[this.#head] = undefined;
    this.#head += 1;
    this.first += 1;
    if (this.#head > SLACK && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}
