/**
 * A list of any length of which only the rows in sight exist.
 *
 * Rows have one height (--row-height), so where each belongs is a product, and drawing costs the same for ten items as for
 * ten thousand. An item has a number that it keeps (see data/bounded.js); the row of number n is always the same element of
 * the pool, so that scrolling by one line fills one row anew.
 *
 * While following, the newest item stays in sight. Scrolling up ends that, and coming back to the end begins it again.
 * To assistive technology it is a grid with one active row.
 */

import { element } from './dom.js';

/** Rows beyond either edge, for scrolling that is ahead of drawing. */
const OVERSCAN = 6;

export class List {
  following = true;
  selected = null;
  #viewport;
  #canvas;
  #fill;
  #chosen;
  #followed;
  #pool = [];
  #shown = null;
  #first = 0;
  #selectedNumber = -1;
  #lastTop = 0;

  /** viewport: the grid, with its head row. fill(row, item) writes a row; chosen(item), followed(bool) tell what the user did. */
  constructor(viewport, { fill, chosen, followed }) {
    this.#viewport = viewport;
    this.#fill = fill;
    this.#chosen = chosen;
    this.#followed = followed;
    this.#canvas = element('div', { class: 'canvas', role: 'rowgroup' });
    viewport.append(this.#canvas);
    viewport.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    viewport.addEventListener('keydown', (event) => this.#key(event));
    this.#canvas.addEventListener('click', (event) => this.#clicked(event));
  }

  /** Draws what `shown` (a Bounded) has now. */
  draw(shown) {
    if (this.#viewport.hidden) {
      return;
    }
    if (shown !== this.#shown) {
      this.#start(shown);
    }
    const height = this.#rowHeight();
    this.#canvas.style.height = `${shown.length * height}px`;
    this.#viewport.setAttribute('aria-rowcount', String(shown.length + 1));
    this.#place(shown, height);
    const room = this.#viewport.clientHeight;
    const from = Math.max(0, Math.floor(this.#viewport.scrollTop / height) - OVERSCAN);
    const count = Math.min(shown.length - from, Math.ceil(room / height) + 2 * OVERSCAN);
    this.#fit(Math.ceil(room / height) + 2 * OVERSCAN + 1);
    for (let index = from; index < from + count; index += 1) {
      this.#drawRow(shown, shown.first + index, index, height);
    }
    for (const row of this.#pool) {
      row.element.hidden = row.number < shown.first + from || row.number >= shown.first + from + count;
    }
  }

  setFollowing(following) {
    this.following = following;
  }

  /** Forget what is selected. */
  deselect() {
    this.selected = null;
    this.#selectedNumber = -1;
    this.#markSelected();
  }

  #start(shown) {
    this.#shown = shown;
    this.#first = shown.first;
    this.#selectedNumber = -1;
    for (let number = shown.first; this.selected && number < shown.end; number += 1) {
      if (shown.at(number) === this.selected) {
        this.#selectedNumber = number;
      }
    }
    this.#pool.forEach((row) => {
      row.number = -1;
    });
  }

  /** Where the viewport stands: at the end, or at the items it stood at although older ones have gone. */
  #place(shown, height) {
    const gone = shown.first - this.#first;
    this.#first = shown.first;
    if (this.following) {
      this.#viewport.scrollTop = this.#viewport.scrollHeight;
    } else if (gone) {
      this.#viewport.scrollTop = Math.max(0, this.#viewport.scrollTop - gone * height);
    }
    this.#lastTop = this.#viewport.scrollTop;
  }

  #rowHeight() {
    return parseFloat(getComputedStyle(this.#viewport).getPropertyValue('--row-height')) || 32;
  }

  #fit(count) {
    while (this.#pool.length < count) {
      const made = element('div', { class: 'row', role: 'row', id: `${this.#viewport.id}-row-${this.#pool.length}` });
      this.#canvas.append(made);
      this.#pool.push({ element: made, number: -1 });
      this.#pool.forEach((row) => {
        row.number = -1;
      });
    }
  }

  #drawRow(shown, number, index, height) {
    const row = this.#pool[number % this.#pool.length];
    if (row.number !== number) {
      row.number = number;
      this.#fill(row.element, shown.at(number));
      row.element.setAttribute('aria-selected', String(number === this.#selectedNumber));
    }
    row.element.setAttribute('aria-rowindex', String(index + 2));
    row.element.style.transform = `translateY(${index * height}px)`;
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#viewport;
    const atEnd = scrollTop + clientHeight >= scrollHeight - this.#rowHeight() / 2;
    if (this.following ? scrollTop < this.#lastTop - 1 && !atEnd : atEnd && scrollTop > this.#lastTop) {
      this.following = !this.following;
      this.#followed(this.following);
    }
    this.#lastTop = scrollTop;
    this.draw(this.#shown);
  }

  #clicked(event) {
    const found = this.#pool.find((row) => row.element.contains(event.target));
    if (found && getSelection().isCollapsed) {
      this.#select(found.number);
    }
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.#viewport.clientHeight / this.#rowHeight()) - 2);
    const { first, end } = this.#shown;
    const from = this.#selectedNumber < first ? null : this.#selectedNumber;
    const targets = {
      ArrowDown: from === null ? end - 1 : from + 1,
      ArrowUp: from === null ? end - 1 : from - 1,
      PageDown: (from ?? end - 1) + page,
      PageUp: (from ?? end - 1) - page,
      Home: first,
      End: end - 1,
      Enter: from ?? end - 1,
    };
    if (!(event.key in targets) || event.ctrlKey || event.metaKey || event.altKey || end === first) {
      return;
    }
    event.preventDefault();
    const number = Math.min(Math.max(targets[event.key], first), end - 1);
    if (number < end - 1 && this.following) {
      this.following = false;
      this.#followed(false);
    }
    this.#select(number);
    this.#reveal(number - first);
  }

  #select(number) {
    this.#selectedNumber = number;
    this.selected = this.#shown.at(number);
    this.#markSelected();
    this.#chosen(this.selected);
  }

  #reveal(index) {
    const height = this.#rowHeight();
    const room = this.#viewport.clientHeight - this.#canvas.offsetTop;
    const top = index * height;
    if (top < this.#viewport.scrollTop) {
      this.#viewport.scrollTop = top;
    } else if (top + height > this.#viewport.scrollTop + room) {
      this.#viewport.scrollTop = top + height - room;
    }
    this.draw(this.#shown);
    this.#markSelected();
  }

  #markSelected() {
    this.#viewport.removeAttribute('aria-activedescendant');
    for (const row of this.#pool) {
      const isSelected = row.number === this.#selectedNumber && row.number >= 0;
      row.element.setAttribute('aria-selected', String(isSelected));
      if (isSelected) {
        this.#viewport.setAttribute('aria-activedescendant', row.element.id);
      }
    }
  }
}
