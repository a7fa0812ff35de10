import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Bounded } from '../page/data/bounded.js';
import { Feed } from '../page/data/feed.js';
import { Rate } from '../page/data/rate.js';

test('the newest items are kept, under numbers that stay', () => {
  const kept = new Bounded(3);
  for (let item = 0; item < 5000; item += 1) {
    kept.push(item);
    assert.equal(kept.end, item + 1);
    assert.equal(kept.at(kept.end - 1), item);
    assert.equal(kept.at(kept.first), Math.max(0, item - 2));
  }
  assert.deepEqual([...kept], [4997, 4998, 4999]);
  const copy = kept.copy();
  kept.push(5000);
  assert.deepEqual([copy.first, [...copy]], [4997, [4997, 4998, 4999]]);
  kept.clear();
  assert.deepEqual([kept.length, kept.first], [0, 5001]);
});

test('weight is bounded, but the newest always stays', () => {
  const kept = new Bounded(100, 10, (item) => item);
  [4, 5, 3].forEach((item) => kept.push(item));
  assert.deepEqual([...kept], [5, 3]);
  kept.push(50);
  assert.deepEqual([...kept], [50]);
});

function feed() {
  return new Feed((item) => item.length, (item) => item);
}

test('a filter holds for what is there and for what comes', () => {
  const words = feed();
  ['red fox', 'blue'].forEach((item) => words.push(item));
  words.setFilter(' RED ');
  words.push('red hare');
  words.push('green');
  assert.deepEqual([...words.shown], ['red fox', 'red hare']);
  assert.equal(words.total, 4);
  words.setFilter('');
  assert.deepEqual([...words.shown], ['red fox', 'blue', 'red hare', 'green']);
});

test('a pause holds the picture, not the stream', () => {
  const words = feed();
  words.push('a');
  words.setPaused(true);
  words.push('b');
  assert.deepEqual([[...words.shown], words.held, words.total], [['a'], 1, 2]);
  words.setFilter('b');
  assert.deepEqual([[...words.shown], words.held], [['b'], 0]);
  words.setFilter('');
  words.setPaused(false);
  assert.deepEqual([...words.shown], ['a', 'b']);
  words.setPaused(true);
  words.clear();
  words.push('c');
  assert.deepEqual([words.shown.length, words.held, words.total], [0, 1, 1]);
});

test('the rate is that of the last whole second', () => {
  const rate = new Rate(10_000);
  rate.count();
  rate.count();
  rate.advance(10_900);
  assert.equal(rate.last, 0);
  rate.advance(11_000);
  assert.equal(rate.last, 2);
  rate.count();
  rate.advance(13_000);
  assert.deepEqual(rate.history.slice(-3), [2, 1, 0]);
  rate.advance(10_000_000);
  assert.equal(rate.history.length, 60);
  assert.equal(Math.max(...rate.history), 0);
});
