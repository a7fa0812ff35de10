/** Keys. Single letters count only outside of fields, and can be switched off (WCAG 2.1, 2.1.4). */

import { byId } from './dom.js';

/** actions: a function by key. isOn(): whether single letters count. */
export function listen(actions, isOn) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || byId('help-dialog').open) {
      return;
    }
    const isLetter = event.key !== 'Escape';
    if ((isLetter && (!isOn() || isField(event.target))) || !(event.key in actions)) {
      return;
    }
    if (actions[event.key]() !== false) {
      event.preventDefault();
    }
  });
}

function isField(target) {
  return target.matches('input:not([type=checkbox], [type=radio]), textarea, select');
}
