import assert from 'node:assert/strict';
import { test } from 'node:test';

import { draftOf, formOf, hexDump, preview, textOf, write } from '../page/data/body.js';
import { encodeText, parseHex } from '../page/data/bytes.js';
import { layOutJson } from '../page/data/json_layout.js';

test('what a body is', () => {
  assert.equal(formOf(new Uint8Array(0)), 'empty');
  assert.equal(formOf(encodeText('Guten Tag\n')), 'text');
  assert.equal(formOf(encodeText(' {"a": [1]} ')), 'json');
  assert.equal(formOf(encodeText('{"a": ')), 'text');
  assert.equal(formOf(encodeText('12')), 'text');
  assert.equal(formOf(Uint8Array.of(0xff, 0xfe)), 'hex');
  assert.equal(formOf(encodeText('a\u0000b')), 'hex');
});

test('a draft is all of a body', () => {
  const long = 'ä'.repeat(100_000);
  assert.deepEqual(draftOf(encodeText(long)), { form: 'text', body: long });
  assert.deepEqual(draftOf(new Uint8Array(0)), { form: 'text', body: '' });
  for (const bytes of [Uint8Array.of(0xff, 0), encodeText('a\r\nb'), encodeText(`${'x'.repeat(70_000)}\u0000`)]) {
    const { form, body } = draftOf(bytes);
    assert.equal(form, 'hex');
    assert.deepEqual(parseHex(body), bytes);
  }
});

test('JSON keeps its tokens', () => {
  assert.equal(layOutJson('{"n":12345678901234567890,"n":1.0,"s":"a\\u00e9, {}[]:\\"","e":{},"l":[1,[],true]}'), `{
  "n": 12345678901234567890,
  "n": 1.0,
  "s": "a\\u00e9, {}[]:\\"",
  "e": {},
  "l": [
    1,
    [],
    true
  ]
}`);
  assert.equal(layOutJson('[\n]'), '[]');
  assert.equal(layOutJson('[1,]'), null);
  assert.equal(layOutJson('"a"'), null);
});

test('laid out JSON means the same', () => {
  const value = { a: [1, { b: null, 'c:{': '}]' }, [], {}, 'x\\"y'], d: -1.5e3, e: true };
  assert.deepEqual(JSON.parse(layOutJson(JSON.stringify(value))), value);
});

test('a preview is one line and ends between letters', () => {
  assert.equal(preview(encodeText('a\n  b')), 'a b');
  assert.equal(preview(encodeText('né')), 'né');
  for (let shift = 0; shift < 4; shift += 1) {
    const text = 'x'.repeat(shift) + '😀'.repeat(400);
    assert.ok(!preview(encodeText(text), 10).includes('\ufffd'));
    assert.ok(preview(encodeText(text), 10).startsWith('x'.repeat(shift) + '😀'));
  }
  assert.equal(preview(Uint8Array.of(0, 255)), '00 ff');
});

test('long bodies are cut, and say so', () => {
  const written = write(encodeText('x'.repeat(70_000)), 'text');
  assert.ok(written.endsWith('\n… and 4,464 bytes more'));
  assert.equal(formOf(encodeText('é'.repeat(70_000))), 'text');
});

test('a dump has offset, digits and letters', () => {
  assert.equal(hexDump(encodeText('0123456789abcdefg')).split('\n')[1], '0010  67                                               g');
});

test('hexadecimal digits are read, or refused with a reason', () => {
  assert.deepEqual([...parseHex('00 fF\n10')], [0, 255, 16]);
  assert.throws(() => parseHex('0g'), /“g” is no hexadecimal digit/);
  assert.throws(() => parseHex('012'), /pairs/);
});

test('a byte order mark stays', () => {
  assert.equal(textOf(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa');
});
