/** Messages per second: the last whole second's, and those of the minute before it. */

const SECONDS = 60;

export class Rate {
  /** The oldest first; the last is the second that has just ended. */
  history = new Array(SECONDS).fill(0);
  #count = 0;
  #second;

  constructor(nowMs) {
    this.#second = Math.floor(nowMs / 1000);
  }

  get last() {
    return this.history[SECONDS - 1];
  }

  count() {
    this.#count += 1;
  }

  /** Brings the history up to now; to be called about once a second. */
  advance(nowMs) {
    const second = Math.floor(nowMs / 1000);
    for (let passed = Math.min(second - this.#second, SECONDS); passed > 0; passed -= 1) {
      this.history.push(this.#count);
      this.history.shift();
      this.#count = 0;
    }
    this.#second = second;
  }
}
