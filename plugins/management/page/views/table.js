/**
 * A list: a table that the API filters, sorts and cuts into pages; a chooser of columns, which is remembered.
 *
 * Rows stay the same elements while they are the same objects, and a cell is only written anew when what it shows has
 * changed, so that focus and selection stay where they are while figures move.
 */

import { recall, remember } from '../data/remembered.js';
import { button, element, setText } from './dom.js';
import { TableBar } from './table_bar.js';

const PAGE_SIZE = 50;

/**
 * columns: { key, title, needs: fields of the API, sort: its field to sort by, number, whole: stands in one line, off, about,
 * draw(row) → text or element, of(row) → what a change is seen by, when draw gives an element }.
 * load(query) → rows or a page of them. keyOf(row): what it is known by. empty: what is said where there is nothing.
 */
export class ListTable {
  #rows = new Map();
  #hidden;
  #sort;
  #page = 1;
  #shownColumns = '';

  constructor({ name, label, columns, load, keyOf, empty, actions = [], filters = true, sort = null, changed = () => {} }) {
    Object.assign(this, { name, columns, load, keyOf, empty, changed });
    this.#hidden = new Set(recall(`columns.${name}`, columns.filter(({ off }) => off).map(({ key }) => key)));
    this.#sort = recall(`sort.${name}`, sort ?? { by: '', reverse: false });
    this.bar = new TableBar({
      columns,
      hidden: this.#hidden,
      actions,
      filters,
      chosen: () => this.#chosen(),
      filtered: () => this.#goTo(1),
    });
    this.head = element('tr');
    this.body = element('tbody');
    const table = element('table', { class: 'list', 'aria-label': label }, element('thead', {}, this.head), this.body);
    this.nothing = element('p', { class: 'nothing', hidden: '' });
    this.pager = element('nav', { class: 'pager', 'aria-label': `Pages of ${label}`, hidden: '' });
    this.place = element('div', { class: 'table' }, this.bar.place, element('div', { class: 'table-scroll' }, table), this.nothing, this.pager);
    this.#drawHead();
  }

  /** What the columns in sight need of the API. */
  get needed() {
    return [...new Set(['name', 'vhost', ...this.#shown().flatMap(({ key, needs }) => needs ?? [key])])];
  }

  /** Asks the API, and shows the answer. */
  async update(signal) {
    const { filter, useRegex } = this.bar;
    const query = {
      page: this.#page,
      page_size: PAGE_SIZE,
      name: filter,
      use_regex: filter && useRegex ? 'true' : '',
      sort: this.#sort.by,
      sort_reverse: this.#sort.by && this.#sort.reverse ? 'true' : '',
      columns: this.needed.join(','),
    };
    try {
      this.#show(await this.load(query, signal));
      this.bar.complain('');
    } catch (error) {
      if (error.status === 400 && this.#page > 1) {
        // There are fewer pages than a moment ago.
        this.#page = 1;
        await this.update(signal);
        return;
      }
      if (error.status === 400 && filter) {
        this.bar.complain(error.message);
        return;
      }
      throw error;
    }
  }

  #shown() {
    return this.columns.filter(({ key }) => !this.#hidden.has(key));
  }

  #chosen() {
    remember(`columns.${this.name}`, [...this.#hidden]);
    this.#drawHead();
    this.changed();
  }

  #goTo(page) {
    this.#page = page;
    this.changed();
  }

  #drawHead() {
    const cells = this.#shown().map((column) => {
      const cell = element('th', { scope: 'col', ...(column.number ? { class: 'number' } : {}), ...(column.about ? { title: column.about } : {}) });
      if (!column.sort) {
        cell.append(column.title);
        return cell;
      }
      const sorted = this.#sort.by === column.sort;
      if (sorted) {
        cell.setAttribute('aria-sort', this.#sort.reverse ? 'descending' : 'ascending');
      }
      cell.append(button(column.title, { class: 'sort', 'data-sort': column.sort }, () => this.#sortBy(column)));
      return cell;
    });
    this.head.replaceChildren(...cells);
    const signature = this.#shown().map(({ key }) => key).join();
    if (signature !== this.#shownColumns) {
      this.#shownColumns = signature;
      this.#rows.clear();
      this.body.replaceChildren();
    }
  }

  #sortBy(column) {
    const again = this.#sort.by === column.sort;
    this.#sort = { by: column.sort, reverse: again ? !this.#sort.reverse : Boolean(column.number) };
    remember(`sort.${this.name}`, this.#sort);
    this.#drawHead();
    this.head.querySelector(`[data-sort="${CSS.escape(column.sort)}"]`)?.focus();
    this.#goTo(1);
  }

  #show(answer) {
    const page = Array.isArray(answer) ? this.#pageOf(answer) : answer;
    this.#fill(page.items);
    const filtered = this.bar.filter !== '';
    this.nothing.hidden = page.items.length > 0;
    setText(this.nothing, filtered ? 'Nothing has such a name.' : this.empty);
    this.bar.count(page.filtered_count, page.total_count);
    this.#drawPager(page);
  }

  /** A page of what the API gives whole. */
  #pageOf(all) {
    const { filter, useRegex } = this.bar;
    const wanted = filter ? all.filter((row) => nameMatches(String(row.name ?? ''), filter, useRegex)) : all;
    const from = (this.#page - 1) * PAGE_SIZE;
    return {
      items: wanted.slice(from, from + PAGE_SIZE),
      page: this.#page,
      page_count: Math.max(1, Math.ceil(wanted.length / PAGE_SIZE)),
      filtered_count: wanted.length,
      total_count: all.length,
    };
  }

  #fill(items) {
    const columns = this.#shown();
    const before = this.#rows;
    this.#rows = new Map();
    const elements = items.map((item) => {
      const key = this.keyOf(item);
      const row = before.get(key) ?? makeRow(columns);
      this.#rows.set(key, row);
      columns.forEach((column, index) => drawCell(row, index, column, item));
      return row.whole;
    });
    if (elements.length !== this.body.children.length || elements.some((each, index) => each !== this.body.children[index])) {
      place(this.body, elements);
    }
  }

  #drawPager({ page, page_count: pages }) {
    this.pager.hidden = pages <= 1;
    const signature = `${page}/${pages}`;
    if (pages <= 1 || this.pager.dataset.shows === signature) {
      return;
    }
    const focused = this.pager.contains(document.activeElement) ? document.activeElement.textContent : '';
    this.pager.dataset.shows = signature;
    const back = button('Previous', { class: 'small' }, () => this.#goTo(page - 1));
    const on = button('Next', { class: 'small' }, () => this.#goTo(page + 1));
    back.disabled = page <= 1;
    on.disabled = page >= pages;
    this.pager.replaceChildren(back, element('span', { role: 'status' }, `Page ${page} of ${pages}`), on);
    [back, on].find((each) => each.textContent === focused && !each.disabled)?.focus();
  }
}

function nameMatches(name, filter, useRegex) {
  if (!useRegex) {
    return name.includes(filter);
  }
  try {
    return new RegExp(filter).test(name);
  } catch {
    return false;
  }
}

function makeRow(columns) {
  const cells = columns.map(({ number, whole, title }) => {
    const kind = number ? 'number' : whole ? 'whole' : '';
    return element('td', { 'data-title': title, ...(kind ? { class: kind } : {}) });
  });
  return { whole: element('tr', {}, ...cells), cells, shown: [] };
}

function drawCell(row, index, column, item) {
  const drawn = column.draw ? column.draw(item) : String(item[column.key] ?? '');
  const signature = typeof drawn === 'string' ? drawn : column.of ? column.of(item) : drawn.outerHTML;
  if (row.shown[index] !== signature) {
    row.shown[index] = signature;
    row.cells[index].replaceChildren(drawn);
  }
}

/** Has the body hold these rows in this order, and moves no row that is in its place. */
function place(body, rows) {
  const wanted = new Set(rows);
  [...body.children].filter((each) => !wanted.has(each)).forEach((each) => each.remove());
  rows.forEach((row, index) => {
    if (body.children[index] !== row) {
      body.insertBefore(row, body.children[index] ?? null);
    }
  });
}
