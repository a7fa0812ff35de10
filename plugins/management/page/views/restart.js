/** Connecting a shovel or a link anew, where this broker's API has that. */

import { button } from './dom.js';
import { toast } from './toasts.js';

export function restartButton(room, { operation, address, what }) {
  if (!room.offers.has('DELETE', operation) || !room.may('policymaker')) {
    return '';
  }
  return button('Restart', { class: 'small', 'aria-label': `Restart ${what}` }, async () => {
    try {
      await room.api.delete(address);
      await room.refresh();
      toast(`Restarted: ${what}.`);
    } catch (error) {
      toast(error.message, 'bad');
    }
  });
}
