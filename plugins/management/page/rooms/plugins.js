/** Plugins that are enabled; feature flags and deprecated features, where this broker has any. */

import { momentText } from '../data/units.js';
import { badge, button, card, element, linkTo } from '../views/dom.js';
import { argumentList } from '../views/facts.js';
import { stateMark } from '../views/marks.js';
import { plainTable } from '../views/plain_table.js';
import { ListTable } from '../views/table.js';
import { toast } from '../views/toasts.js';

export function open(room) {
  const table = new ListTable({
    name: 'plugins',
    label: 'Plugins',
    empty: 'No plugin is enabled.',
    filters: false,
    keyOf: ({ name }) => name,
    load: (query, signal) => room.api.get('/plugins', query, { signal }),
    changed: () => room.refresh(),
    columns: [
      { key: 'name', title: 'Name', sort: 'name', draw: ({ name }) => element('b', {}, name) },
      { key: 'about', title: 'What it is' },
      { key: 'state', title: 'State', draw: ({ state }) => stateMark(state) },
      { key: 'since', title: 'Since', draw: ({ since }) => (typeof since === 'number' ? momentText(since) : '') },
      { key: 'restarts', title: 'Restarts', number: true, draw: ({ restarts }) => String(restarts) },
      { key: 'counters', title: 'Counts', draw: ({ counters }) => argumentList(counters, '') },
      { key: 'last_error', title: 'Trouble', draw: ({ last_error: error }) => (error ? element('span', { class: 'form-error' }, error) : '') },
    ],
  });
  const flags = element('div');
  const deprecated = element('div');
  const hasFlags = room.offers.has('GET', '/feature-flags');
  const hasDeprecated = room.offers.has('GET', '/deprecated-features');
  if (!hasFlags) {
    flags.append(element('p', { class: 'muted' }, 'This broker has no feature flags: what it can do is always on.'));
  }
  room.show(room.heading('Plugins and features'), table.place, card('Feature flags', {}, flags), ...(hasDeprecated ? [card('Deprecated features', {}, deprecated)] : []));
  room.poll(async (signal) => {
    await table.update(signal);
    if (hasFlags) {
      showFlags(room, flags, await room.api.get('/feature-flags', {}, { signal }));
    }
    if (hasDeprecated) {
      const [features, used] = await Promise.all(['', '/used'].map((which) => room.api.get(`/deprecated-features${which}`, {}, { signal })));
      showDeprecated(deprecated, features, new Set(used.map(({ name }) => name)));
    }
  });
}

function showFlags(room, place, flags) {
  const signature = JSON.stringify(flags);
  if (place.dataset.shows === signature) {
    return;
  }
  place.dataset.shows = signature;
  const enable = async (name) => {
    try {
      await room.api.put(`/feature-flags/${encodeURIComponent(name)}/enable`, { name });
      await room.refresh();
      toast(`Enabled: ${name}.`);
    } catch (error) {
      toast(error.message, 'bad');
    }
  };
  const rows = flags.map(({ name, state, desc, stability }) => [
    element('b', {}, name),
    stateMark(state),
    stability ?? '',
    desc ?? '',
    state === 'disabled' && room.may('administrator') ? button('Enable', { class: 'small' }, () => enable(name)) : '',
  ]);
  place.replaceChildren(rows.length ? plainTable('Feature flags', ['Name', 'State', 'Stability', 'What it is', ''], rows) : element('p', { class: 'muted' }, 'There are none: what this broker can do is always on.'));
}

function showDeprecated(place, features, used) {
  const signature = JSON.stringify([features, [...used]]);
  if (place.dataset.shows === signature) {
    return;
  }
  place.dataset.shows = signature;
  const rows = features.map(({ name, state, desc, deprecation_phase: phase, doc_url: about }) => [
    element('b', {}, name),
    used.has(name) ? badge('in use', 'warn') : 'not in use',
    stateMark(state ?? ''),
    (phase ?? '').replaceAll('_', ' '),
    about ? linkTo(about, desc || about, { target: '_blank', rel: 'noreferrer' }) : desc ?? '',
  ]);
  const nothing = element('p', { class: 'muted' }, 'There are none: nothing that this broker can do is about to go.');
  place.replaceChildren(rows.length ? plainTable('Deprecated features', ['Name', 'Use', 'State', 'Phase', 'What it is'], rows) : nothing);
}
