/** The rate and its last minute as a line. */

import { byId } from './dom.js';
import { countText, sizeText } from './format.js';

const WIDTH = 120;
const HEIGHT = 24;

/** rate: a data/rate.js Rate; bytes: all that came. */
export function drawMeter(rate, bytes) {
  const top = Math.max(...rate.history, 1);
  const points = rate.history.map((count, index) => {
    const x = (index * WIDTH) / (rate.history.length - 1);
    const y = HEIGHT - 2 - (count / top) * (HEIGHT - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  byId('meter-line').setAttribute('points', points.join(' '));
  byId('meter-area').setAttribute('d', `M0,${HEIGHT} L${points.join(' L')} L${WIDTH},${HEIGHT} Z`);
  byId('rate').textContent = countText(rate.last);
  byId('bytes').textContent = sizeText(bytes);
}
