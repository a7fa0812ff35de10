import assert from 'node:assert/strict';
import { test } from 'node:test';

import { concat, encodeText } from '../page/data/bytes.js';
import { encodeFrame, header, StompMalformed, StompParser } from '../page/protocol/stomp_codec.js';
import { chance, cuts } from './cutting.js';

const plain = ({ command, headers, body }) => ({ command, headers, body: [...body] });

function parse(...pieces) {
  const parser = new StompParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

const MESSAGE = { command: 'MESSAGE', headers: [['destination', '/queue/a'], ['odd', 'a:b\\c\nd\re']], body: Uint8Array.of(0, 1, 10, 0, 255) };
const EMPTY_MESSAGE = { command: 'RECEIPT', headers: [['receipt-id', 'größer 😀']], body: new Uint8Array(0) };

test('frames come out as they went in, however they are cut', () => {
  const expected = [MESSAGE, EMPTY_MESSAGE, MESSAGE].map((frame) => {
    const length = frame.body.length ? [['content-length', String(frame.body.length)]] : [];
    return plain({ ...frame, headers: [...frame.headers, ...length] });
  });
  const stream = concat([MESSAGE, EMPTY_MESSAGE, MESSAGE].flatMap((frame) => [encodeFrame(frame), encodeText('\n\r\n')]));
  for (const pieces of cuts(stream)) {
    assert.deepEqual(parse(...pieces).map(plain), expected);
  }
});

test('any headers and any body come back', () => {
  const random = chance(7);
  const letters = ['a', ':', '\\', '\n', '\r', 'n', 'c', ' ', 'é', '😀'];
  const text = () => Array.from({ length: Math.floor(random() * 8) }, () => letters[Math.floor(random() * letters.length)]).join('');
  for (let round = 0; round < 500; round += 1) {
    const body = Uint8Array.from({ length: Math.floor(random() * 30) }, () => Math.floor(random() * 256));
    const frame = { command: 'SEND', headers: [[text(), text()], [text(), text()]], body };
    const [found, ...rest] = parse(encodeFrame(frame));
    assert.equal(rest.length, 0);
    assert.deepEqual(plain(found), plain({ ...frame, headers: [...frame.headers, ...(body.length ? [['content-length', String(body.length)]] : [])] }));
  }
});

test('a body without content-length ends at the first NUL', () => {
  assert.deepEqual(parse(encodeText('ERROR\nmessage:no\n\nwhy\0')).map(plain), [
    { command: 'ERROR', headers: [['message', 'no']], body: [...encodeText('why')] },
  ]);
});

test('lines may end with CR LF', () => {
  const [frame] = parse(encodeText('RECEIPT\r\nreceipt-id:1\r\n\r\n\0'));
  assert.equal(header(frame, 'receipt-id'), '1');
});

test('of headers with one name the first counts', () => {
  const [frame] = parse(encodeText('MESSAGE\nfoo:World\nfoo:Hello\n\n\0'));
  assert.equal(header(frame, 'foo'), 'World');
});

test('CONNECT and CONNECTED are not escaped', () => {
  const [frame] = parse(encodeText('CONNECTED\nsession:a\\b:c\n\n\0'));
  assert.equal(header(frame, 'session'), 'a\\b:c');
  assert.ok(new TextDecoder().decode(encodeFrame({ command: 'CONNECT', headers: [['login', 'a:b']] })).includes('login:a:b\n'));
});

test('a CONNECT cannot smuggle in headers', () => {
  const text = new TextDecoder().decode(encodeFrame({ command: 'CONNECT', headers: [['login', 'a\nhost:b']] }));
  assert.ok(text.includes('login:a host:b\n'));
});

test('a large body in many pieces is put together once', () => {
  const body = new Uint8Array(4 << 20).fill(65);
  const stream = encodeFrame({ command: 'MESSAGE', headers: [], body });
  const pieces = Array.from({ length: Math.ceil(stream.length / 1024) }, (_, index) => stream.subarray(1024 * index, 1024 * (index + 1)));
  const started = performance.now();
  assert.equal(parse(...pieces)[0].body.length, body.length);
  assert.ok(performance.now() - started < 5000);
});

test('heart-beats are nothing, and the parser is idle between frames', () => {
  const parser = new StompParser();
  assert.deepEqual(parser.push(encodeText('\n')), []);
  assert.equal(parser.idle, true);
  parser.push(encodeText('MESS'));
  assert.equal(parser.idle, false);
});

const MALFORMED = {
  'a header without colon': 'MESSAGE\nfoo\n\n\0',
  'an escape that does not exist': 'MESSAGE\nfoo:a\\tb\n\n\0',
  'an escape cut off': 'MESSAGE\nfoo:a\\\n\n\0',
  'a content-length that is none': 'MESSAGE\ncontent-length:x\n\n\0',
  'a negative content-length': 'MESSAGE\ncontent-length:-1\n\n\0',
  'no NUL behind the body': 'MESSAGE\ncontent-length:1\n\nab\0',
  'a command in small letters': 'message\n\n\0',
  'no command': 'foo:bar\n\n\0',
};

for (const [what, text] of Object.entries(MALFORMED)) {
  test(`malformed: ${what}`, () => {
    assert.throws(() => parse(encodeText(text)), StompMalformed);
  });
}

test('malformed: headers that are not UTF-8', () => {
  assert.throws(() => parse(concat([encodeText('MESSAGE\na:'), Uint8Array.of(0xff), encodeText('\n\n\0')])), StompMalformed);
});

test('malformed: headers without end', () => {
  assert.throws(() => parse(new Uint8Array(2 << 20).fill(65)), StompMalformed);
});
