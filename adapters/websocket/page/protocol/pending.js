/** Requests that wait for an answer, by the identifier that it will carry. */

export class Pending {
  #waiting = new Map();

  get size() {
    return this.#waiting.size;
  }

  has(identifier) {
    return this.#waiting.has(identifier);
  }

  /** A promise of the answer. */
  wait(identifier) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(identifier, { resolve, reject, since: performance.now() });
    });
  }

  /** How long one has waited, in words; empty if nobody waits. */
  waited(identifier) {
    const found = this.#waiting.get(identifier);
    return found ? `${(performance.now() - found.since).toFixed(1)} ms` : '';
  }

  /** Answers the one that waits; says whether there was one. */
  resolve(identifier, value) {
    return this.#settle(identifier, 'resolve', value);
  }

  /** Refuses the one that waits; says whether there was one. */
  reject(identifier, text) {
    return this.#settle(identifier, 'reject', new Error(text));
  }

  /** Refuses all of them: the connection is gone. */
  rejectAll(text) {
    [...this.#waiting.keys()].forEach((identifier) => this.reject(identifier, text));
  }

  #settle(identifier, how, value) {
    const found = this.#waiting.get(identifier);
    this.#waiting.delete(identifier);
    found?.[how](value);
    return found !== undefined;
  }
}
