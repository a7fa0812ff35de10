/** Two charts' worth of figures: how much waits, and how fast it moves. From the API's samples, else from our own looks. */

import { Growth } from './growth.js';
import { historyOf } from './history.js';
import { lengthSamples, rateSamples } from './samples.js';

const LENGTHS = { messages: 'messages', ready: 'messages_ready', unacknowledged: 'messages_unacknowledged' };

export class Trends {
  #growth = new Growth();
  #rates;

  /** key: what they are of. rates: names of counts. */
  constructor(key, rates) {
    this.#rates = Object.fromEntries(rates.map((name) => [name, name]));
    this.lengths = historyOf(`${key}/lengths`);
    this.rates = historyOf(`${key}/rates`);
  }

  /** lengths: an object with `messages` and its like; stats: message_stats. now: in ms. */
  add(lengths, stats, now) {
    const values = Object.fromEntries(Object.entries(LENGTHS).map(([name, field]) => [name, lengths[field]]));
    const speeds = this.#growth.rates(stats, Object.keys(this.#rates), now);
    put(this.lengths, lengthSamples(lengths, LENGTHS), now, values);
    put(this.rates, rateSamples(stats, this.#rates), now, speeds);
  }
}

/** One sample alone draws nothing, so the own look counts until there are more. */
export function put(history, samples, now, values) {
  if (samples && samples.length > 1) {
    history.replace(samples, values);
  } else {
    history.add(now, values);
  }
}
