import assert from 'node:assert/strict';
import { test } from 'node:test';

import { topicMatches } from '../page/protocol/topics.js';
import { fromFragment, isOwn, toFragment } from '../page/settings.js';

const SETTINGS = {
  connection: { protocol: 'mqtt5', url: 'ws://broker:15674/ws', user: 'a&b=c', vhost: '/', password: 'secret' },
  subscriptions: [{ mode: '1', destination: 'a/+/ü #' }, { mode: 'auto', destination: '/topic/#' }],
  destination: 'a b',
};

test('a link carries everything but the password', () => {
  const fragment = toFragment(SETTINGS);
  assert.ok(!fragment.includes('secret'));
  const { password, ...connection } = SETTINGS.connection;
  assert.deepEqual(fromFragment(fragment, 'broker'), { ...SETTINGS, connection });
});

test('a link cannot send the login to another host', () => {
  assert.equal(fromFragment(toFragment(SETTINGS), 'other').connection.url, undefined);
  assert.equal(fromFragment('#url=ws://broker@evil/ws', 'broker').connection.url, undefined);
  assert.equal(fromFragment('#url=nonsense', 'broker').connection.url, undefined);
});

test('what is no URL is nobody\'s', () => {
  for (const url of [undefined, '', 'ws://', 'ws://[', '/ws', 'broker']) {
    assert.equal(isOwn(url, 'broker'), false);
  }
  assert.equal(isOwn('wss://broker:1/x', 'broker'), true);
});

test('no fragment is nothing', () => {
  assert.equal(fromFragment('', 'broker'), null);
  assert.equal(fromFragment('#', 'broker'), null);
});

const MATCHES = [
  ['a/b', 'a/b', true],
  ['a/b', 'a/b/c', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a', false],
  ['+', '', true],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['#', 'a/b', true],
  ['#', '$SYS/a', false],
  ['+/a', '$SYS/a', false],
  ['$SYS/#', '$SYS/a', true],
  ['$share/group/a/#', 'a/b', true],
];

for (const [filter, topic, expected] of MATCHES) {
  test(`${filter} ${expected ? 'matches' : "doesn't match"} ${topic}`, () => {
    assert.equal(topicMatches(filter, topic), expected);
  });
}
