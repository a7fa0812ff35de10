/** Samples that the API has kept, as charts want them: figures by moment, oldest first. */

/** How far back is asked for, and how finely: what a chart shows. */
export const SPAN = { lengths_age: 600, lengths_incr: 5, msg_rates_age: 600, msg_rates_incr: 5 };

/** The same of a connection's octets, and of a node. */
export const DATA_SPAN = { data_rates_age: 600, data_rates_incr: 5 };
export const NODE_SPAN = { node_stats_age: 600, node_stats_incr: 5 };

/** [{ at, values }] of lengths: { name in the chart: name in the API }; null where the API has no samples. */
export function lengthSamples(figures, names) {
  return together(figures, names, (samples) => samples.map(({ timestamp, sample }) => [timestamp, sample]));
}

/** The same of counts, as rates: what a count has grown by from one sample to the next. */
export function rateSamples(figures, names) {
  return together(figures, names, (samples) =>
    samples.slice(1).map(({ timestamp, sample }, index) => {
      const before = samples[index];
      const seconds = (timestamp - before.timestamp) / 1000;
      return [timestamp, seconds > 0 ? Math.max(0, sample - before.sample) / seconds : 0];
    }),
  );
}

function together(figures, names, pointsOf) {
  const byMoment = new Map();
  let some = false;
  for (const [name, field] of Object.entries(names)) {
    const samples = figures?.[`${field}_details`]?.samples;
    if (!samples?.length) {
      continue;
    }
    some = true;
    for (const [at, value] of pointsOf(samples.toSorted((one, other) => one.timestamp - other.timestamp))) {
      byMoment.set(at, { ...byMoment.get(at), [name]: value });
    }
  }
  return some ? [...byMoment].sort(([one], [other]) => one - other).map(([at, values]) => ({ at, values })) : null;
}
