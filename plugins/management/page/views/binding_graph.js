/**
 * A drawing of one exchange's bindings: what feeds it on the left, what it feeds on the right, keys on the lines.
 *
 * Several bindings between the same two are one line with several keys. The lists beside it hold all; a drawing of very
 * many would be none.
 */

import { exchangeName, link } from '../data/paths.js';
import { element, shape } from './dom.js';

const SHOWN_MAX = 14;
const KEYS_MAX = 3;
const ROW = 52;
const BOX_HEIGHT = 34;

/** Of a drawing: how wide boxes and what is between them are, and how much of a name is shown.  On a phone two columns fit. */
const WIDE = { box: 164, gap: 190, letters: 20 };
const NARROW = { box: 118, gap: 96, letters: 12 };

/** How much of the lines to the exchange is seen, so that it is seen that there are any. */
const BEFORE = 16;

const isNarrow = matchMedia('(max-width: 600px)');

export class BindingGraph {
  place = element('div', { class: 'table-scroll' });
  #shown = '';
  #given = [[], []];

  constructor(name) {
    this.name = name;
    isNarrow.addEventListener('change', this.#again);
  }

  /** A phone was turned, or a window made narrow; nothing more is heard of it once the drawing is gone. */
  #again = () => {
    if (this.place.isConnected) {
      this.draw(...this.#given);
    } else {
      isNarrow.removeEventListener('change', this.#again);
    }
  };

  /** out: bindings from the exchange; into: to it. */
  draw(out, into) {
    this.#given = [out, into];
    const signature = JSON.stringify([isNarrow.matches, out, into]);
    if (signature === this.#shown) {
      return;
    }
    this.#shown = signature;
    const sources = group(into, ({ source }) => ['exchange', source]);
    const destinations = group(out, ({ destination_type: type, destination }) => [type, destination]);
    const vhost = (out[0] ?? into[0])?.vhost ?? '/';
    this.place.replaceChildren(this.#picture(sources, destinations, vhost), ...rest(sources, destinations));
    requestAnimationFrame(() => this.#showWhereMessagesGo());
  }

  /** Where all of it has no room, what the exchange feeds is seen first, and what feeds it is to the left. */
  #showWhereMessagesGo() {
    const self = this.place.querySelector('.self rect');
    if (self && this.place.scrollWidth > this.place.clientWidth) {
      this.place.scrollLeft = Number(self.getAttribute('x')) - BEFORE;
    }
  }

  #picture(sources, destinations, vhost) {
    const size = isNarrow.matches ? NARROW : WIDE;
    const { box, gap } = size;
    const left = sources.slice(0, SHOWN_MAX);
    const right = destinations.slice(0, SHOWN_MAX);
    const height = ROW * Math.max(1, left.length, right.length) + 8;
    const columns = [left.length ? box + gap : 0, box, right.length ? gap + box : 0];
    const width = columns.reduce((sum, each) => sum + each, 4);
    const middle = { x: 2 + columns[0], y: height / 2 };
    const parts = [node(size, this.name || '(default)', 'exchange self', middle, null)];
    const edges = [];
    left.forEach((each, index) => {
      const at = { x: 2, y: rowY(index, left.length, height) };
      parts.push(node(size, label(each), each.type, at, link('exchanges', vhost, exchangeName(each.name))));
      edges.push(edge(size, { x: at.x + box, y: at.y }, middle, each.keys, false));
    });
    right.forEach((each, index) => {
      const at = { x: middle.x + box + gap, y: rowY(index, right.length, height) };
      const target = each.type === 'queue' ? link('queues', vhost, each.name) : link('exchanges', vhost, exchangeName(each.name));
      parts.push(node(size, label(each), each.type, at, target));
      edges.push(edge(size, { x: middle.x + box, y: middle.y }, at, each.keys, true));
    });
    const said = `${this.name || 'The default exchange'} feeds ${destinations.map(label).join(', ') || 'nothing'}; it is fed by ${sources.map(label).join(', ') || 'clients alone'}.`;
    return shape('svg', { class: 'graph', viewBox: `0 0 ${width} ${height}`, width, height, role: 'group', 'aria-label': said }, arrow(), ...edges, ...parts);
  }
}

function label({ name }) {
  return name === '' ? '(default)' : name;
}

function rest(sources, destinations) {
  const more = Math.max(0, sources.length - SHOWN_MAX) + Math.max(0, destinations.length - SHOWN_MAX);
  return more ? [element('p', { class: 'hint' }, `And ${more} more; the list of bindings has all.`)] : [];
}

/** The other ends, each with the keys of all bindings to it. */
function group(bindings, endOf) {
  const found = new Map();
  for (const binding of bindings) {
    const [type, name] = endOf(binding);
    const known = found.get(`${type} ${name}`) ?? { type, name, keys: [] };
    known.keys.push(keyText(binding));
    found.set(`${type} ${name}`, known);
  }
  return [...found.values()];
}

function keyText({ routing_key: key, arguments: table }) {
  const conditions = Object.entries(table ?? {}).map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return [key, ...conditions].filter((each) => each !== '').join(' ');
}

function rowY(index, count, height) {
  return height / 2 + (index - (count - 1) / 2) * ROW;
}

function node({ box: width, letters }, text, kinds, { x, y }, href) {
  const box = shape('rect', { class: 'graph-box', x, y: y - BOX_HEIGHT / 2, width, height: BOX_HEIGHT, rx: kinds.includes('exchange') ? BOX_HEIGHT / 2 : 6 });
  const words = shape('text', { x: x + width / 2, y: y + 4.5, 'text-anchor': 'middle' }, shortened(text, letters));
  const inner = [shape('title', {}, text), box, words];
  const made = shape('g', { class: `graph-node ${kinds}` }, ...(href ? [shape('a', { href, 'aria-label': text }, ...inner)] : inner));
  return made;
}

/** The keys stand over the line's end at what isn't the exchange, where lines are apart. outward: that is its right end. */
function edge({ gap, letters }, from, to, keys, outward) {
  const bend = gap / 2;
  const end = to.x - 7;
  const line = shape('path', { class: 'graph-edge', d: `M${from.x},${from.y} C${from.x + bend},${from.y} ${end - bend},${to.y} ${end},${to.y}`, 'marker-end': 'url(#graph-arrow)' });
  const named = keys.filter((key) => key !== '');
  if (!named.length) {
    return line;
  }
  const shown = named.slice(0, KEYS_MAX).join(', ') + (named.length > KEYS_MAX ? `, ${named.length - KEYS_MAX} more` : '');
  const text = shortened(shown, letters);
  const width = text.length * 7.3 + 8;
  const x = outward ? end - width / 2 - 6 : from.x + width / 2 + 4;
  const y = (outward ? to.y : from.y) - 11;
  return shape(
    'g',
    {},
    line,
    shape('title', {}, named.join(', ')),
    shape('rect', { class: 'graph-key-ground', x: x - width / 2, y: y - 9, width, height: 17, rx: 4 }),
    shape('text', { class: 'graph-key', x, y: y + 4, 'text-anchor': 'middle' }, text),
  );
}

function arrow() {
  const head = shape('path', { class: 'graph-arrow', d: 'M0,0 L8,4 L0,8 z' });
  return shape('defs', {}, shape('marker', { id: 'graph-arrow', viewBox: '0 0 8 8', refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' }, head));
}

function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
