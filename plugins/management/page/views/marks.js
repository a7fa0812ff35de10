/** What a queue or an exchange is, as small marks. */

import { badge, element } from './dom.js';
import { valueText } from './facts.js';

/** durable, auto-delete, exclusive, internal, and that there are arguments. */
export function featureMarks({ durable, auto_delete: autoDelete, exclusive, internal, arguments: table = {} }) {
  const names = Object.keys(table).filter((name) => name !== 'x-queue-type');
  const marks = [
    durable && badge('durable', '', 'It survives a restart'),
    autoDelete && badge('auto-delete', '', 'It goes with its last user'),
    exclusive && badge('exclusive', '', 'One connection’s own, and goes with it'),
    internal && badge('internal', '', 'Clients can’t publish to it'),
    names.length > 0 && badge(names.length === 1 ? '1 argument' : `${names.length} arguments`, '', names.map((name) => `${name}: ${valueText(table[name])}`).join('\n')),
  ];
  return element('span', { class: 'marks' }, ...marks.filter(Boolean));
}

const KINDS = { running: 'good', up: 'good', idle: '', flow: 'info', blocked: 'warn', blocking: 'warn', down: 'bad', 'no answer': 'warn', 'no owner': 'bad', active: 'good', claiming: 'info', 'handing over': 'info', lost: 'bad', crashed: 'bad', terminated: 'bad', starting: 'info', error: 'bad', waiting: 'info' };

/** A state in its colour, and in words. */
export function stateMark(state) {
  return badge(state, KINDS[state] ?? '');
}
