/**
 * A chart of figures over the last minutes: lines, an axis, a legend with the newest figures, and those of the moment
 * under the pointer. Drawn as SVG; what it shows is also said in words.
 */

import { durationText, niceCeiling, shortText } from '../data/units.js';
import { element, setText, shape } from './dom.js';

const WIDTH = 600;
const HEIGHT = 170;
const LEFT = 40;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;
const SHOWN_MS = 600_000;

/** A chart that has just begun shows a minute, so that its line grows from the right. */
const SHOWN_LEAST_MS = 60_000;

export class Chart {
  #svg = shape('svg', { class: 'chart-drawing', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
  #grid = shape('g', { class: 'chart-grid' });
  #lines = shape('g');
  #cursor = shape('line', { class: 'chart-cursor', y1: TOP, y2: HEIGHT - BOTTOM, visibility: 'hidden' });
  #axis = element('div', { class: 'chart-axis', 'aria-hidden': 'true' });
  #time = element('div', { class: 'chart-time', 'aria-hidden': 'true' }, element('span'), element('span', { class: 'chart-moment' }), element('span', {}, 'now'));
  #figures = new Map();
  #samples = [];
  #newest = {};
  #scale = null;

  /** series: [name, title][], in the order of their colours. unit(value): a figure as text. */
  constructor({ title, series, unit }) {
    Object.assign(this, { title, series, unit });
    this.#svg.setAttribute('aria-label', title);
    this.#svg.append(this.#grid, this.#lines, this.#cursor);
    this.place = element('figure', { class: 'chart' });
    const legend = element('ul', { class: 'legend' }, ...series.map((each, index) => this.#legendItem(each, index)));
    this.place.append(element('figcaption', {}, title), legend, element('div', { class: 'chart-area' }, this.#axis, this.#svg), this.#time);
    this.#svg.addEventListener('pointermove', (event) => this.#point(event));
    this.#svg.addEventListener('pointerleave', () => this.#unpoint());
  }

  #legendItem([name, title], index) {
    const figure = element('b', {}, '–');
    this.#figures.set(name, figure);
    return element('li', { class: `series-${index}` }, element('span', { class: 'swatch', 'aria-hidden': 'true' }), `${title} `, figure);
  }

  /** Shows the samples of a History. */
  draw(history) {
    this.#samples = history.since(SHOWN_MS);
    this.#newest = history.newest;
    const newest = this.#samples.at(-1)?.at ?? 0;
    const span = Math.max(SHOWN_LEAST_MS, newest - (this.#samples[0]?.at ?? newest));
    const most = niceCeiling(Math.max(0, ...this.#samples.flatMap(({ values }) => this.series.map(([name]) => values[name] ?? 0))));
    const x = (at) => WIDTH - RIGHT - ((newest - at) / span) * (WIDTH - LEFT - RIGHT);
    const y = (value) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - TOP - BOTTOM);
    this.#scale = { x, newest };
    this.#drawGrid(most, y);
    this.#lines.replaceChildren(...this.series.flatMap(([name], index) => this.#line(name, index, x, y)));
    setText(this.#time.firstChild, `${durationText(span)} ago`);
    this.#say(this.#newest);
    this.#svg.setAttribute('aria-label', `${this.title}: ${this.#words()}`);
  }

  #line(name, index, x, y) {
    const points = this.#samples.filter(({ values }) => typeof values[name] === 'number').map(({ at, values }) => `${x(at).toFixed(1)},${y(values[name]).toFixed(1)}`);
    if (points.length === 1) {
      return [shape('path', { class: `series-${index} chart-point`, d: `M${points[0]}h0` })];
    }
    return points.length ? [shape('polyline', { class: `series-${index} chart-line`, points: points.join(' ') })] : [];
  }

  #drawGrid(most, y) {
    const steps = [0, 0.5, 1];
    this.#grid.replaceChildren(...steps.map((step) => shape('line', { x1: LEFT, x2: WIDTH - RIGHT, y1: y(step * most), y2: y(step * most) })));
    const texts = steps.map((step) => shortText(step * most));
    const joined = texts.join();
    if (this.#axis.dataset.shows !== joined) {
      this.#axis.dataset.shows = joined;
      this.#axis.replaceChildren(...texts.toReversed().map((text) => element('span', {}, text)));
    }
  }

  #say(values) {
    for (const [name, figure] of this.#figures) {
      const value = values[name];
      setText(figure, typeof value === 'number' ? this.unit(value) : '–');
    }
  }

  #words() {
    return this.series.map(([name, title]) => `${title} ${this.#figures.get(name).textContent}`).join(', ');
  }

  #point({ clientX }) {
    if (!this.#samples.length) {
      return;
    }
    const box = this.#svg.getBoundingClientRect();
    const at = ((clientX - box.left) / box.width) * WIDTH;
    const { x, newest } = this.#scale;
    const nearest = this.#samples.reduce((best, each) => (Math.abs(x(each.at) - at) < Math.abs(x(best.at) - at) ? each : best));
    this.#cursor.setAttribute('x1', x(nearest.at));
    this.#cursor.setAttribute('x2', x(nearest.at));
    this.#cursor.setAttribute('visibility', 'visible');
    setText(this.#time.children[1], newest === nearest.at ? '' : `${durationText(newest - nearest.at)} ago`);
    this.#say(nearest.values);
  }

  #unpoint() {
    this.#cursor.setAttribute('visibility', 'hidden');
    setText(this.#time.children[1], '');
    this.#say(this.#newest);
  }
}
