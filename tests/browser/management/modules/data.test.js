/** Modules of the management page that need no page. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApiError, Api } from '../page/data/api.js';
import { Growth } from '../page/data/growth.js';
import { History } from '../page/data/history.js';
import { authorization, may } from '../page/data/login.js';
import { Offers } from '../page/data/offers.js';
import { exchangeName, link, parseFragment, path, queryText } from '../page/data/paths.js';
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
  assert.equal(authorization('guest', 'guest'), 'Basic Z3Vlc3Q6Z3Vlc3Q=');
  assert.equal(Buffer.from(authorization('ü', '密:€').slice(6), 'base64').toString(), 'ü:密:€');
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
