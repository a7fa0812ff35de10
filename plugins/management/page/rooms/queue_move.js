/** Moving a queue's messages elsewhere. */

import { path } from '../data/paths.js';
import { countText } from '../data/units.js';
import { openForm } from '../views/form.js';

export function openMove(room, vhost, name) {
  openForm({
    title: 'Move messages',
    about: `From queue ${name}; each leaves it when the other end has it.`,
    submit: 'Move',
    fields: [
      { name: 'kind', label: 'To', kind: 'select', options: [['queue', 'a queue'], ['exchange', 'an exchange']] },
      { name: 'target', label: 'called', required: true, hint: 'In the same virtual host.' },
      { name: 'routingKey', label: 'With routing key', hint: 'Of an exchange; each message’s own if it is empty.' },
      { name: 'count', label: 'How many', kind: 'number', min: 1, hint: 'All that are ready now, if it is empty.' },
    ],
    action: async ({ kind, target, routingKey, count }) => {
      const body = kind === 'queue' ? { destination_queue: target } : { exchange: target, ...(routingKey ? { routing_key: routingKey } : {}) };
      const { message_count: moved, stopped } = await room.api.post(path`/queues/${vhost}/${name}/move`, count === null ? body : { ...body, count });
      await room.refresh();
      const said = `${countText(moved)} ${moved === 1 ? 'message is' : 'messages are'} moved.`;
      if (stopped) {
        throw new Error(`${said} Then it stopped: ${stopped}`);
      }
      return said;
    },
  });
}
