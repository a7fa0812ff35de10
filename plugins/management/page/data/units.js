/** Figures as people read them. */

export { countText, sizeText } from '../live/views/format.js';

/** 0, 0.2/s, 12/s, 3.4k/s: a rate; a dash where it isn't known yet. */
export function rateText(rate) {
  return rate === null || rate === undefined ? '–' : `${shortText(rate)}/s`;
}

/** 950, 1.2k, 34k, 5.1M */
export function shortText(value) {
  for (const [unit, letter] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) {
    if (value >= unit * 0.9995) {
      const scaled = value / unit;
      return `${scaled < 9.95 ? scaled.toFixed(1) : Math.round(scaled)}${letter}`;
    }
  }
  return value > 0 && value < 9.95 && !Number.isInteger(value) ? value.toFixed(1) : String(Math.round(value));
}

/** 3 d 4 h, 5 min 10 s: a length of time in ms. */
export function durationText(ms) {
  const units = [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1000]];
  const first = units.findIndex(([, size]) => ms >= size);
  if (first < 0) {
    return `${Math.max(0, Math.round(ms))} ms`;
  }
  const [name, size] = units[first];
  const whole = Math.floor(ms / size);
  const next = units[first + 1];
  const rest = next ? Math.floor((ms % size) / next[1]) : 0;
  return rest ? `${whole} ${name} ${rest} ${next[0]}` : `${whole} ${name}`;
}

/** 2026-03-01 14:03:27, in the browser's own zone. ms: since 1970. */
export function momentText(ms) {
  const date = new Date(ms);
  const two = (value) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A number for an axis that isn't less than `value`: 1, 2 or 5 and noughts. */
export function niceCeiling(value) {
  if (value <= 1) {
    return 1;
  }
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.9999);
}
