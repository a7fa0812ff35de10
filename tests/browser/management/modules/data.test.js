/** Modules of the management page that need no page. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApiError, Api } from '../page/data/api.js';
import { Growth } from '../page/data/growth.js';
import { History } from '../page/data/history.js';
import { authorization, may } from '../page/data/login.js';
import { Offers } from '../page/data/offers.js';
import { exchangeName, link, parseFragment, path, queryText } from '../page/data/paths.js';
import { randomText, sha256 } from '../page/data/random.js';
import { Tapped, tapQuery } from '../page/data/tapped.js';
import { durationText, niceCeiling, rateText, shortText } from '../page/data/units.js';

const ODD = 'a/b %2F ü?#&';

test('a name is encoded once, in addresses of the API and of rooms', () => {
  assert.equal(path`/queues/${'/'}/${ODD}`, `/queues/%2F/${encodeURIComponent(ODD)}`);
  assert.deepEqual(parseFragment(link('queues', '/', ODD)).parts, ['queues', '/', ODD]);
  assert.deepEqual(parseFragment('#/queues?tab=x').parts, ['queues']);
  assert.equal(parseFragment('#/queues?tab=x').query.get('tab'), 'x');
  assert.deepEqual(parseFragment('').parts, []);
  assert.deepEqual(parseFragment('#/queues/%zz').parts, ['queues', '%zz']);
  assert.equal(exchangeName(''), 'amq.default');
  assert.equal(queryText({ page: 1, name: '', sort: null }), '?page=1');
  assert.equal(queryText({}), '');
});

test('a login is UTF-8 in base64', () => {
  assert.equal(authorization({ user: 'guest', password: 'guest' }), 'Basic Z3Vlc3Q6Z3Vlc3Q=');
  assert.equal(Buffer.from(authorization({ user: 'ü', password: '密:€' }).slice(6), 'base64').toString(), 'ü:密:€');
});

test('a token is a bearer’s', () => {
  assert.equal(authorization({ token: 'a.b.c' }), 'Bearer a.b.c');
});

test('a live tap keeps the latest messages, and says how many were missed', () => {
  const tapped = new Tapped();
  for (let number = 0; number < 600; number += 1) {
    tapped.add({ payload: String(number) });
  }
  tapped.add({ missed: 7 });
  assert.deepEqual([tapped.rows.length, tapped.count, tapped.missed], [500, 600, 7]);
  assert.deepEqual(tapped.rows.slice(0, 2), [{ number: 601, missed: 7 }, { number: 600, message: { payload: '599' } }]);
  assert.ok(tapped.text().endsWith('{"payload":"599"}\n{"missed":7}\n'));
  tapped.clear();
  assert.deepEqual([tapped.rows, tapped.text()], [[], '']);
});

test('what a live tap asks for', () => {
  const given = { queue: 'q', exchange: 'x', pattern: '', topics: 'a/+', body: '', conditions: { 'header.a': 'b' } };
  assert.deepEqual(tapQuery({ kind: 'queue', ...given }), { 'header.a': 'b', queue: 'q', body: '' });
  assert.deepEqual(tapQuery({ kind: 'exchange', ...given }), { 'header.a': 'b', exchange: 'x', routing_key: '#', body: '' });
  assert.deepEqual(tapQuery({ kind: 'topics', ...given }), { 'header.a': 'b', mqtt_topic: 'a/+', body: '' });
});

test('lines come whole, however they are cut', async () => {
  const pieces = ['{"a":', '1}\n\n{"b"', ':"€"}\n', '{"c":3}\n'].map((text) => new TextEncoder().encode(text));
  globalThis.fetch = async () => new Response(new ReadableStream({ start: (to) => (pieces.forEach((each) => to.enqueue(each)), to.close()) }));
  const found = [];
  await new Api('x').stream('/tail', {}, new AbortController().signal, (line) => found.push(line), () => found.push('begun'));
  assert.deepEqual(found, ['begun', { a: 1 }, { b: '€' }, { c: 3 }]);
});

test('a challenge is the verifier’s hash (RFC 7636, appendix B)', async () => {
  assert.equal(await sha256('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'), 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM');
  assert.match(randomText(), /^[\w-]{43}$/);
  assert.notEqual(randomText(), randomText());
});

test('tags', () => {
  assert.ok(may(['administrator'], 'policymaker'));
  assert.ok(may(['other', 'monitoring'], 'monitoring'));
  assert.ok(!may(['management', 'constructor'], 'monitoring'));
  assert.ok(!may([], 'management'));
});

test('rates are the broker’s where it has them, else what happened between two looks', () => {
  const growth = new Growth();
  assert.deepEqual(growth.rates({ a: 10, b: 1, b_details: { rate: 7 } }, ['a', 'b', 'c'], 1000), { a: null, b: 7, c: 0 });
  assert.deepEqual(growth.rates({ a: 20, b: 1, b_details: { rate: 3 } }, ['a', 'b', 'c'], 3000), { a: 5, b: 3, c: 0 });
  assert.deepEqual(growth.rates({ a: 5 }, ['a'], 4000), { a: 0 });
});

test('samples are bounded, and a chart gets those of its time', () => {
  const history = new History();
  for (let at = 0; at < 1000; at += 1) {
    history.add(at * 1000, { x: at });
  }
  assert.equal(history.samples.length, 360);
  assert.deepEqual(history.since(2000).map(({ at }) => at), [996_000, 997_000, 998_000, 999_000]);
  assert.deepEqual(new History().since(1000), []);
});

test('what the API has, whatever parts are called', () => {
  const offers = new Offers({ paths: { '/api/queues/{vhost}/{queue}': { get: {}, delete: {} } } });
  assert.ok(offers.has('GET', '/queues/{v}/{q}'));
  assert.ok(!offers.has('PUT', '/queues/{v}/{q}'));
  assert.ok(!new Offers(null).has('GET', '/queues'));
});

test('figures', () => {
  assert.deepEqual([0, 0.25, 9, 950, 1000, 1234, 34_000, 5_100_000].map(shortText), ['0', '0.3', '9', '950', '1.0k', '1.2k', '34k', '5.1M']);
  assert.equal(rateText(null), '–');
  assert.equal(rateText(12), '12/s');
  assert.deepEqual([0, 900, 61_000, 3_600_000, 90_000_000].map(durationText), ['0 ms', '900 ms', '1 min 1 s', '1 h', '1 d 1 h']);
  assert.deepEqual([0, 1, 3, 5, 11, 60, 1001].map(niceCeiling), [1, 1, 5, 5, 20, 100, 2000]);
});

async function refusalOf(respond) {
  globalThis.fetch = respond;
  try {
    await new Api('x').get('/queues');
  } catch (error) {
    return error;
  }
  return null;
}

test('refusals are the API’s reason, or say that there is no answer', async () => {
  const json = await refusalOf(async () => new Response('{"error":"x","reason":"a sentence"}', { status: 404 }));
  assert.ok(json instanceof ApiError);
  assert.deepEqual([json.status, json.message], [404, 'a sentence']);
  const text = await refusalOf(async () => new Response('Bad Gateway', { status: 502 }));
  assert.deepEqual([text.status, text.message], [502, 'Bad Gateway']);
  const page = await refusalOf(async () => new Response('<html>', { status: 200 }));
  assert.match(page.message, /no JSON/);
  const none = await refusalOf(async () => {
    throw new TypeError('Failed to fetch');
  });
  assert.deepEqual([none.status, none.message], [0, 'The broker can’t be reached.']);
});
