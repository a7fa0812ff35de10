/** Samples of some figures over the last minutes, for a chart. */

/** Half an hour at one sample every five seconds. */
const SAMPLES_MAX = 360;

export class History {
  samples = [];
  newest = {};

  /** values: { name: number or null }. at: in ms, later than that of the sample before. */
  add(at, values) {
    this.samples.push({ at, values });
    this.newest = values;
    if (this.samples.length > SAMPLES_MAX) {
      this.samples.shift();
    }
  }

  /** What somebody else has sampled, in place of all. values: the figures of now. */
  replace(samples, values) {
    this.samples = samples.slice(-SAMPLES_MAX);
    this.newest = values;
  }

  /** The samples of the last `ms`, with the one before them, so that a line reaches the edge. */
  since(ms) {
    const from = (this.samples.at(-1)?.at ?? 0) - ms;
    const first = this.samples.findIndex(({ at }) => at >= from);
    return this.samples.slice(Math.max(0, first - 1));
  }
}

/** Histories by what they are of, kept while the page is open, so that a chart goes on when one comes back. */
const kept = new Map();

const KEPT_MAX = 50;

export function historyOf(what) {
  const found = kept.get(what) ?? new History();
  kept.delete(what);
  kept.set(what, found);
  if (kept.size > KEPT_MAX) {
    kept.delete(kept.keys().next().value);
  }
  return found;
}

export function forgetHistories() {
  kept.clear();
}
