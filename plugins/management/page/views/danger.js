/** Deleting: asked first, then done, then somewhere else. */

import { button } from './dom.js';
import { confirmFirst } from './form.js';

/** A button that deletes what is at `address`. what: “queue orders”. fields: choices that become the query. back: where one goes. */
export function deleteButton(room, { what, address, about = '', fields = [], back, text = 'Delete' }) {
  return button(text, { class: 'danger-quiet', 'aria-label': `${text} ${what}` }, () =>
    confirmFirst({
      title: `Delete ${what}?`,
      about,
      submit: 'Delete',
      fields,
      action: async (choices) => {
        const query = Object.fromEntries(Object.entries(choices).filter(([, value]) => value === true).map(([name]) => [name, 'true']));
        if (back) {
          room.leave();
        }
        try {
          await room.api.delete(address, query);
        } catch (error) {
          if (back) {
            room.shell.enterAgain();
          }
          throw error;
        }
        if (back) {
          location.hash = back;
        } else {
          await room.refresh();
        }
        return `Deleted: ${what}.`;
      },
    }),
  );
}
