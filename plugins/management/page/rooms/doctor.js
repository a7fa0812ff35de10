/** What is wrong with how the broker is used and set up, why, and what helps: an examination whenever somebody asks for one. */

import { exchangeName, link } from '../data/paths.js';
import { countText } from '../data/units.js';
import { badge, card, element, linkTo } from '../views/dom.js';
import { makeForm } from '../views/form.js';

const SEVERITIES = { notice: 'info', warning: 'warn', error: 'bad' };

/** Where each kind of place has its room; others have none. */
const ROOMS = {
  queue: ({ vhost, name }) => link('queues', vhost, name),
  exchange: ({ vhost, name }) => link('exchanges', vhost, exchangeName(name)),
  connection: ({ name }) => link('connections', name),
  channel: ({ name }) => link('channels', name),
  user: ({ name }) => link('users', name),
  policy: () => link('policies'),
  'mqtt session': ({ vhost, name }) => link('mqtt', 'sessions', vhost, name),
};

export function open(room) {
  const answer = element('div', { 'aria-live': 'polite', class: 'room' });
  const { form } = makeForm({
    label: 'Examine the broker',
    submit: 'Examine',
    keeps: true,
    fields: [
      { name: 'watch', label: 'Look for, seconds', kind: 'number', min: 0, max: 30, value: 3, hint: 'Between two looks, which tell what grows.' },
      { name: 'patience', label: 'Patience, seconds', kind: 'number', min: 0, max: 86400, value: 600, hint: 'What has been so for less isn’t told.' },
    ],
    action: async ({ watch, patience }) => {
      answer.replaceChildren(element('p', { class: 'hint' }, 'Looking…'));
      try {
        answer.replaceChildren(...drawReport(await room.api.get('/doctor', { watch: watch ?? 3, patience: patience ?? 600 })));
      } catch (error) {
        answer.replaceChildren();
        throw error;
      }
    },
  });
  room.show(room.heading('Doctor'), card('An examination', { note: 'nothing is changed' }, form), answer);
}

function drawReport({ findings, looked_at: lookedAt }) {
  const seen = Object.entries(lookedAt).map(([name, count]) => `${name.replace('_', ' ')}: ${countText(count)}`);
  const verdict = findings.length ? `${countText(findings.length)} ${findings.length === 1 ? 'finding' : 'findings'}.` : 'Nothing found.';
  const summary = card('The report', {}, element('p', { class: 'verdict' }, verdict), element('p', { class: 'hint' }, `Looked at ${seen.join(', ')}.`));
  return [summary, ...findings.map(drawFinding)];
}

function drawFinding({ title, severity, code, why, remedy, count, places }) {
  const more = count - places.length;
  return card(
    title,
    { note: code, actions: [badge(severity, SEVERITIES[severity] ?? '')] },
    element('p', {}, why),
    element('ul', { class: 'places' }, ...places.map(drawPlace), ...(more > 0 ? [element('li', {}, `And ${countText(more)} more.`)] : [])),
    element('h3', {}, 'What helps'),
    element('ul', {}, ...remedy.map((line) => element('li', {}, line))),
  );
}

function drawPlace(place) {
  const room = ROOMS[place.kind]?.(place);
  const name = room && place.name ? linkTo(room, place.name) : place.name;
  const where = place.vhost ? ` in ${place.vhost}` : '';
  const remedy = place.remedy ? [element('div', {}, element('code', {}, place.remedy))] : [];
  return element('li', {}, `${place.kind} `, name, `${where}: ${place.detail}`, ...remedy);
}
