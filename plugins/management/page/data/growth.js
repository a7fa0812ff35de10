/** How fast counts grow: the API's own figure where it has one, else what happened between two looks. */

/** Counts of a message_stats object, or of anything with `x` and `x_details: { rate }`. */
export class Growth {
  #before = null;

  /** rates(stats, names, now): { name: per second or null }; null where only one look was taken. now: in ms. */
  rates(stats, names, now) {
    const before = this.#before;
    const seconds = before ? (now - before.now) / 1000 : 0;
    const found = {};
    for (const name of names) {
      const given = stats[`${name}_details`]?.rate;
      if (typeof given === 'number') {
        found[name] = given;
      } else if (seconds > 0) {
        found[name] = Math.max(0, (stats[name] ?? 0) - (before.stats[name] ?? 0)) / seconds;
      } else {
        found[name] = stats[name] === undefined ? 0 : null;
      }
    }
    this.#before = { stats, now };
    return found;
  }
}
