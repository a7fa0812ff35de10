/** A live tap: messages as they come to a queue, an exchange or topics of MQTT, none of which is taken away. */

import { path } from '../data/paths.js';
import { Tapped, tapQuery } from '../data/tapped.js';
import { countText } from '../data/units.js';
import { button, card, element, setText } from '../views/dom.js';
import { makeForm } from '../views/form.js';
import { suggestNames } from '../views/names.js';
import { saveText } from '../views/save.js';
import { TapList } from '../views/tap_list.js';

/** Of a body. */
const BODY_BYTES = 16 * 1024;

const KINDS = [['queue', 'a queue'], ['exchange', 'an exchange'], ['topics', 'MQTT topics']];

const WORDS = { queue: 'queue', exchange: 'exchange', topics: 'topics' };

/** The fields that each kind has. */
const FIELDS = { queue: ['queue'], exchange: ['exchange', 'pattern'], topics: ['topics'] };

const KNOWN_CONDITIONS = [
  ['header.type', 'text', '', 'A header of this name and value'],
  ['content_type', 'text', 'application/json', 'What the body is'],
  ['correlation_id', 'text', '', 'What it answers'],
  ['app_id', 'text', '', 'What has sent it'],
];

export function open(room) {
  const tap = new Tap(room);
  room.show(room.heading('Live tap'), card('What to look at', { note: 'nothing is taken away' }, tap.form), tap.place);
  if (room.query.has('queue') || room.query.has('exchange')) {
    tap.form.requestSubmit();
  }
}

class Tap {
  #tapped = new Tapped();
  #list = new TapList(this.#tapped);
  #count = element('span', { class: 'count' });
  #state = element('p', { class: 'muted', role: 'status' }, 'Nothing is looked at yet.');
  #stop = button('Stop', { class: 'small' }, () => this.#end('Stopped.'));
  #running = null;

  constructor(room) {
    this.room = room;
    const { form, fields } = makeForm({
      label: 'What to look at',
      submit: 'Watch',
      keeps: true,
      fields: descriptions(room),
      action: (values) => this.#begin(values),
    });
    Object.assign(this, { form, fields });
    this.#stop.disabled = true;
    const clear = button('Clear', { class: 'small' }, () => this.#clear());
    const save = button('Save', { class: 'small', title: 'As a file, a JSON object in each line' }, () => saveText(this.#tapped.text(), 'application/x-ndjson', 'messages.ndjson'));
    this.place = card('Messages', { actions: [this.#count, this.#stop, clear, save] }, this.#state, this.#list.place);
    fields.kind.control.addEventListener('change', () => this.#showFields());
    this.#showFields();
    suggestNames(room, fields.queue, () => 'queues', () => fields.vhost.read());
    suggestNames(room, fields.exchange, () => 'exchanges', () => fields.vhost.read());
    room.signal.addEventListener('abort', () => this.#end(''));
  }

  #showFields() {
    const shown = FIELDS[this.fields.kind.read()];
    for (const name of Object.values(FIELDS).flat()) {
      const { place, control } = this.fields[name];
      place.hidden = !shown.includes(name);
      control.disabled = place.hidden;
    }
  }

  /** Resolves when the broker has agreed; throws its refusal. */
  #begin({ vhost, ...values }) {
    this.#end('');
    this.#clear();
    this.#running = new AbortController();
    const { signal } = this.#running;
    const query = { ...tapQuery(values), truncate: BODY_BYTES };
    let agreed = false;
    return new Promise((resolve, reject) => {
      const begun = () => {
        agreed = true;
        this.#stop.disabled = false;
        setText(this.#state, `Watching ${WORDS[values.kind]} ${values[values.kind]}.`);
        resolve();
      };
      const ended = (error) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        this.#end(agreed ? error?.message ?? 'It has ended: what was looked at is gone.' : '');
        reject(error);
      };
      this.room.api.stream(path`/tail/${vhost}`, query, signal, (line) => this.#add(line), begun).then(() => ended(), ended);
    });
  }

  #add(line) {
    this.#tapped.add(line);
    this.#list.changed();
    this.#showCount();
  }

  #end(words) {
    this.#running?.abort();
    this.#running = null;
    this.#stop.disabled = true;
    setText(this.#state, words);
  }

  #clear() {
    this.#tapped.clear();
    this.#list.changed();
    this.#showCount();
  }

  #showCount() {
    const { count, missed, rows } = this.#tapped;
    const shown = rows.length < count ? `, the latest ${countText(rows.length)} are shown` : '';
    setText(this.#count, count || missed ? `${countText(count)}${shown}${missed ? `, ${countText(missed)} missed` : ''}` : '');
  }
}

function descriptions({ query, vhosts, vhostOrFirst }) {
  return [
    { name: 'kind', label: 'Look at', kind: 'select', options: KINDS, value: query.has('exchange') ? 'exchange' : 'queue' },
    { name: 'vhost', label: 'Virtual host', kind: 'select', options: vhosts, value: query.get('vhost') ?? vhostOrFirst },
    { name: 'queue', label: 'Queue', required: true, value: query.get('queue') ?? '', list: [] },
    { name: 'exchange', label: 'Exchange', required: true, value: query.get('exchange') ?? '', list: [] },
    { name: 'pattern', label: 'Routing keys', value: query.get('key') ?? '', placeholder: '#', hint: 'Words with dots between; * is any word, # any number of them.' },
    { name: 'topics', label: 'Topic filter', required: true, placeholder: 'sensors/+/temperature' },
    { name: 'body', label: 'Body has', hint: 'Only messages whose bodies contain this.' },
    { name: 'conditions', label: 'Headers and properties', kind: 'table', addText: 'Add a condition', known: KNOWN_CONDITIONS },
  ];
}
