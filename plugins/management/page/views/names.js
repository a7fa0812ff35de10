/** Suggestions of names while somebody types one: those that there are in the chosen virtual host. */

import { path } from '../data/paths.js';
import { element } from './dom.js';

/** Of each list; the field takes any name. */
const SUGGESTED_MAX = 200;

/**
 * field: of makeForm, with a `list`. list, vhost: functions that say which list of the API has the names (queues,
 * exchanges), and where. They are asked for when somebody goes to the field.
 */
export function suggestNames(room, { control }, list, vhost) {
  let known = null;
  control.addEventListener('focus', async () => {
    const address = path`/${list()}/${vhost()}`;
    if (known === address) {
      return;
    }
    known = address;
    try {
      const { items } = await room.api.get(address, { columns: 'name', page: 1, page_size: SUGGESTED_MAX }, { signal: room.signal });
      control.list.replaceChildren(...items.filter(({ name }) => name !== '').map(({ name }) => element('option', { value: name })));
    } catch {
      // Without suggestions, the name is typed.
      known = null;
    }
  });
}
