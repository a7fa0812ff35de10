/** The rooms that the user may enter, by groups; on a phone behind a button. */

import { may } from '../data/login.js';
import { link } from '../data/paths.js';
import { ROOMS } from '../rooms.js';
import { byId, element, linkTo } from './dom.js';

export class Navigation {
  #shown = '';

  constructor() {
    const menu = byId('menu');
    menu.addEventListener('click', () => this.#toggle(menu.getAttribute('aria-expanded') !== 'true'));
    for (const place of [menu, byId('rooms')]) {
      place.addEventListener('keydown', ({ key }) => {
        if (key === 'Escape' && menu.getAttribute('aria-expanded') === 'true') {
          this.#toggle(false);
          menu.focus();
        }
      });
    }
  }

  /** shell: whose user may enter what. parts: of the address where one is. */
  show(shell, parts) {
    this.#toggle(false);
    const visible = ROOMS.filter(({ group, tag }) => group && (!tag || may(shell.who.tags, tag)));
    const signature = visible.map(({ title }) => title).join();
    if (signature !== this.#shown) {
      this.#shown = signature;
      const groups = Map.groupBy(visible, ({ group }) => group);
      byId('rooms').replaceChildren(...[...groups].map(([group, rooms], index) => drawGroup(group, rooms, index)));
    }
    for (const each of byId('rooms').querySelectorAll('a')) {
      const at = each.dataset.at ? each.dataset.at.split('/') : [];
      const here = at.length ? at.every((part, index) => part === parts[index]) : parts.length === 0;
      if (here) {
        each.setAttribute('aria-current', at.length === parts.length ? 'page' : 'true');
      } else {
        each.removeAttribute('aria-current');
      }
    }
  }

  #toggle(open) {
    byId('menu').setAttribute('aria-expanded', String(open));
    byId('rooms').classList.toggle('open', open);
  }
}

function drawGroup(group, rooms, index) {
  const id = `rooms-${index}`;
  const items = rooms.map(({ at, title }) => element('li', {}, linkTo(link(...at), title, { 'data-at': at.join('/') })));
  return element('div', { class: 'room-group' }, element('h2', { id }, group), element('ul', { 'aria-labelledby': id }, ...items));
}
