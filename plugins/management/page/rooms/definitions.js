/** Everything that is declared, as a file: exported, or imported, all or nothing. */

import { path } from '../data/paths.js';
import { card } from '../views/dom.js';
import { makeForm } from '../views/form.js';
import { saveText } from '../views/save.js';

const PARTS = [['users', 'users'], ['vhosts', 'virtual hosts'], ['permissions', 'permissions'], ['topic_permissions', 'topic permissions'], ['queues', 'queues'], ['exchanges', 'exchanges'], ['bindings', 'bindings'], ['policies', 'policies'], ['parameters', 'parameters'], ['global_parameters', 'global parameters']];

export function open(room) {
  room.show(room.heading('Definitions'), card('Export', { note: 'everything but messages' }, exportForm(room)), card('Import', { note: 'all of it, or nothing' }, importForm(room)));
}

function scope(room, name) {
  return { name, label: 'Of', kind: 'select', options: [['', 'the whole broker'], ...room.vhosts.map((vhost) => [vhost, `virtual host ${vhost}`])], value: room.vhost };
}

function addressOf(vhost) {
  return vhost ? path`/definitions/${vhost}` : '/definitions';
}

function exportForm(room) {
  const { form } = makeForm({
    label: 'Export definitions',
    submit: 'Export',
    keeps: true,
    fields: [scope(room, 'scope')],
    action: async ({ scope: vhost }) => {
      const definitions = await room.api.get(addressOf(vhost));
      saveText(JSON.stringify(definitions, null, 2), 'application/json', `definitions-${new Date().toISOString().slice(0, 10)}.json`);
      return `Exported: ${summary(definitions)}.`;
    },
  });
  return form;
}

/** What is in a file of definitions, counted. */
function summary(definitions) {
  const counts = PARTS.filter(([name]) => definitions[name]?.length).map(([name, title]) => `${definitions[name].length} ${title}`);
  return counts.join(', ') || 'nothing';
}

function importForm(room) {
  const { form, fields } = makeForm({
    label: 'Import definitions',
    submit: 'Import',
    keeps: true,
    fields: [scope(room, 'into'), { name: 'file', label: 'A file', kind: 'file', accept: 'application/json,.json' }, { name: 'text', label: 'or the definitions themselves', kind: 'area', rows: 8, placeholder: '{"queues": [{"name": "orders", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}}]}' }],
    action: async ({ into, file, text }) => {
      const definitions = parsed(file ? await file.text() : text);
      await room.api.post(addressOf(into), definitions);
      await room.shell.reloadVhosts();
      return `Imported: ${summary(definitions)}.`;
    },
  });
  fields.file.control.addEventListener('change', () => {
    fields.text.control.disabled = Boolean(fields.file.control.files.length);
  });
  return form;
}

function parsed(text) {
  if (text.trim() === '') {
    throw new Error('Nothing is chosen: take a file, or paste the definitions.');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is no JSON: ${error.message}`);
  }
}
