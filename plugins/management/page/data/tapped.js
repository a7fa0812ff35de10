/** What a live tap has shown: the latest messages, within bounds, and how many there were. */

/** A list of more is no list; who needs all has a queue for them. */
const KEPT_MAX = 500;

export class Tapped {
  /** Newest first: { number, message } or { number, missed }. */
  rows = [];
  count = 0;
  missed = 0;
  #number = 0;

  /** line: of GET /tail. */
  add(line) {
    this.#number += 1;
    if (line.missed === undefined) {
      this.count += 1;
      this.rows.unshift({ number: this.#number, message: line });
    } else {
      this.missed += line.missed;
      this.rows.unshift({ number: this.#number, missed: line.missed });
    }
    this.rows.length = Math.min(this.rows.length, KEPT_MAX);
  }

  clear() {
    Object.assign(this, { rows: [], count: 0, missed: 0 });
  }

  /** Those that are kept, oldest first, one JSON object in a line. */
  text() {
    return this.rows.toReversed().map(({ message, missed }) => `${JSON.stringify(message ?? { missed })}\n`).join('');
  }
}

/** Of GET /tail/{vhost}: the query for what a form says. kind: queue, exchange or topics. */
export function tapQuery({ kind, queue, exchange, pattern, topics, body, conditions }) {
  const what = {
    queue: { queue },
    exchange: { exchange, routing_key: pattern || '#' },
    topics: { mqtt_topic: topics },
  }[kind];
  return { ...conditions, ...what, body };
}
