/** Parts of a room, one shown at a time; which one is in the address, so that a link leads there. */

import { element } from './dom.js';

/**
 * parts: [key, title, element, opened?][]; opened() is called when the part is shown for the first time.
 * chosen: the key in the address. choose(key): puts it there.
 */
export function tabs(label, parts, chosen, choose) {
  const list = element('div', { class: 'tabs', role: 'tablist', 'aria-label': label });
  const panels = element('div');
  const opened = new Set();
  const select = (key, focus = false) => {
    for (const [index, [each, , panel, open]] of parts.entries()) {
      const tab = list.children[index];
      const here = each === key;
      tab.setAttribute('aria-selected', String(here));
      tab.tabIndex = here ? 0 : -1;
      panel.hidden = !here;
      if (here && focus) {
        tab.focus();
      }
      if (here && !opened.has(key)) {
        opened.add(key);
        open?.();
      }
    }
  };
  parts.forEach(([key, title, panel]) => {
    panel.id = `panel-${key}`;
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-labelledby', `tab-${key}`);
    const tab = element('button', { type: 'button', role: 'tab', id: `tab-${key}`, 'aria-controls': panel.id }, title);
    tab.addEventListener('click', () => {
      select(key);
      choose(key);
    });
    list.append(tab);
    panels.append(panel);
  });
  list.addEventListener('keydown', ({ key }) => {
    const at = parts.findIndex((_, index) => list.children[index].getAttribute('aria-selected') === 'true');
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    const to = step ? (at + step + parts.length) % parts.length : { Home: 0, End: parts.length - 1 }[key];
    if (to !== undefined) {
      select(parts[to][0], true);
      choose(parts[to][0]);
    }
  });
  select(parts.some(([key]) => key === chosen) ? chosen : parts[0][0]);
  return element('div', {}, list, panels);
}

/** Puts `?tab=key` into the address without going there again. */
export function rememberTab(key) {
  const [address] = location.hash.split('?', 1);
  history.replaceState(null, '', `${address || '#/'}?tab=${encodeURIComponent(key)}`);
}
