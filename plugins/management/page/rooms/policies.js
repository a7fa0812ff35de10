/** Policies of users and of operators: what queues and exchanges get beside their arguments. */

import { path } from '../data/paths.js';
import { button, element } from '../views/dom.js';
import { deleteButton } from '../views/danger.js';
import { argumentList } from '../views/facts.js';
import { openForm } from '../views/form.js';
import { ListTable } from '../views/table.js';
import { rememberTab, tabs } from '../views/tabs.js';

const KINDS = {
  policies: {
    title: 'Policies',
    empty: 'There are no policies.',
    applies: [['all', 'queues and exchanges'], ['queues', 'queues'], ['classic_queues', 'classic queues'], ['quorum_queues', 'quorum queues'], ['streams', 'streams'], ['exchanges', 'exchanges']],
    known: [
      ['message-ttl', 'number', '60000', 'Messages expire after so many milliseconds'],
      ['expires', 'number', '1800000', 'A queue goes when it is unused for so many milliseconds'],
      ['max-length', 'number', '10000', 'So many messages at most'],
      ['max-length-bytes', 'number', '104857600', 'So many bytes of bodies at most'],
      ['overflow', 'text', 'reject-publish', 'What a full queue does: drop-head, reject-publish, reject-publish-dlx'],
      ['dead-letter-exchange', 'text', 'amq.direct', 'Where dead messages go'],
      ['dead-letter-routing-key', 'text', '', 'With which key'],
      ['delivery-limit', 'number', '20', 'How often a message is delivered before it is dead'],
      ['max-age', 'text', '7D', 'How long a stream keeps its messages'],
      ['stream-max-segment-size-bytes', 'number', '500000000', 'How long the files of a stream are'],
      ['alternate-exchange', 'text', '', 'Where messages go that reach no queue'],
      ['history-stream', 'text', '', 'The stream that keeps what comes by'],
      ['history-stream-max-age', 'text', '7D', 'Have the stream made, and keep so long'],
      ['history-stream-max-length-bytes', 'number', '', 'Have the stream made, and keep so much'],
      ['federation-upstream-set', 'text', 'all', 'What it is federated with'],
    ],
  },
  'operator-policies': {
    title: 'Operator policies',
    empty: 'There are no operator policies.',
    applies: [['queues', 'queues'], ['classic_queues', 'classic queues'], ['quorum_queues', 'quorum queues'], ['streams', 'streams']],
    known: [
      ['message-ttl', 'number', '60000', 'The smaller of this and the policy’s counts'],
      ['expires', 'number', '1800000', 'The smaller of this and the policy’s counts'],
      ['max-length', 'number', '10000', 'The smaller of this and the policy’s counts'],
      ['max-length-bytes', 'number', '104857600', 'The smaller of this and the policy’s counts'],
      ['delivery-limit', 'number', '20', 'The smaller of this and the policy’s counts'],
    ],
  },
};

export function open(room) {
  const parts = Object.keys(KINDS).map((kind) => {
    const table = policyTable(room, kind);
    return [kind, KINDS[kind].title, element('div', {}, table.place), () => room.poll((signal) => table.update(signal))];
  });
  room.show(room.heading('Policies'), tabs('Policies', parts, room.query.get('tab'), rememberTab));
}

function policyTable(room, kind) {
  const { title, empty } = KINDS[kind];
  const changes = kind === 'policies' || room.may('administrator');
  const columns = [
    { key: 'name', title: 'Name', sort: 'name', draw: ({ name }) => element('b', {}, name) },
    { key: 'vhost', title: 'Virtual host', sort: 'vhost' },
    { key: 'pattern', title: 'Pattern', draw: ({ pattern }) => element('code', {}, pattern) },
    { key: 'apply-to', title: 'Applies to', draw: (row) => row['apply-to'] },
    { key: 'definition', title: 'Definition', draw: ({ definition }) => argumentList(definition) },
    { key: 'priority', title: 'Priority', number: true, sort: 'priority', draw: ({ priority }) => String(priority) },
    ...(changes
      ? [
          {
            key: 'actions',
            title: '',
            needs: ['pattern', 'apply-to', 'definition', 'priority'],
            of: (row) => JSON.stringify(row),
            draw: (row) => element('span', { class: 'card-actions' }, button('Change', { class: 'small', 'aria-label': `Change policy ${row.name}` }, () => edit(room, kind, row)), deleteButton(room, { what: `policy ${row.name}`, address: addressOf(kind, row) })),
          },
        ]
      : []),
  ];
  return new ListTable({
    name: kind,
    label: title,
    columns,
    empty,
    keyOf: ({ vhost, name }) => `${vhost}/${name}`,
    load: (query, signal) => room.api.get(room.listPath(kind), query, { signal }),
    changed: () => room.refresh(),
    actions: changes ? [button(kind === 'policies' ? 'Add a policy' : 'Add an operator policy', { class: 'primary' }, () => edit(room, kind, null))] : [],
  });
}

function addressOf(kind, { vhost, name }) {
  return path`/${kind}/${vhost}/${name}`;
}

function edit(room, kind, policy) {
  const { applies, known } = KINDS[kind];
  openForm({
    title: policy ? `Change policy ${policy.name}` : 'Add a policy',
    submit: 'Save',
    fields: [
      ...(policy
        ? []
        : [
            { name: 'vhost', label: 'Virtual host', kind: 'select', options: room.vhosts, value: room.vhostOrFirst },
            { name: 'name', label: 'Name', required: true },
          ]),
      { name: 'pattern', label: 'Pattern of names', required: true, value: policy?.pattern ?? '', placeholder: '^orders\\.' },
      { name: 'applies', label: 'Applies to', kind: 'select', options: applies, value: policy?.['apply-to'] ?? applies[0][0] },
      { name: 'priority', label: 'Priority', kind: 'number', step: 1, value: policy?.priority ?? 0, hint: 'Of several that match, the highest counts.' },
      { name: 'definition', label: 'Definition', kind: 'table', value: policy?.definition, known },
    ],
    action: async ({ vhost, name, pattern, applies: to, priority, definition }) => {
      const which = policy ?? { vhost, name };
      await room.api.put(addressOf(kind, which), { pattern, 'apply-to': to, priority: priority ?? 0, definition });
      await room.refresh();
      return `Policy ${which.name} is saved.`;
    },
  });
}
