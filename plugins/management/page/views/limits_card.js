/** Limits of one user or virtual host: shown, set, lifted. */

import { leastOf, limitText } from '../data/limits.js';
import { countText } from '../data/units.js';
import { button, card, element } from './dom.js';
import { openForm } from './form.js';

const NO_LIMIT = -1;

/** address: of the limits in the API. names: of those there can be. { place, update(signal) }. */
export function limitsCard(room, { address, names }) {
  const list = element('div');
  let limits = {};
  const edit = () =>
    openForm({
      title: 'Limits',
      submit: 'Save',
      about: 'An empty field is no limit.',
      fields: names.map((name) => ({ name, label: limitText(name), kind: 'number', min: leastOf(name), value: limits[name] >= 0 ? limits[name] : '' })),
      action: async (values) => {
        for (const name of names) {
          const before = limits[name] ?? NO_LIMIT;
          const after = values[name] ?? NO_LIMIT;
          if (after !== before && after === NO_LIMIT) {
            await room.api.delete(`${address}/${name}`);
          } else if (after !== before) {
            await room.api.put(`${address}/${name}`, { value: after });
          }
        }
        await room.refresh();
        return 'The limits are saved.';
      },
    });
  const place = card('Limits', { actions: room.may('administrator') ? [button('Change limits', { class: 'small' }, edit)] : [] }, list);
  const update = async (signal) => {
    const found = await room.api.get(address, {}, { signal });
    limits = found[0]?.value ?? {};
    const words = names.map((name) => `${name}: ${limits[name] >= 0 ? countText(limits[name]) : 'no limit'}`).join(', ');
    if (list.textContent !== words) {
      list.replaceChildren(element('p', {}, words));
    }
  };
  return { place, update };
}
