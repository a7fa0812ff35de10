/** What a message's body is, and how it is shown: as text, as JSON with line breaks, or in hexadecimal. */

import { decodeText, decodeTextLeniently } from './bytes.js';
import { isJson, layOutJson } from './json_layout.js';

/** How much of a body is written out; the rest is counted. */
const SHOWN_BYTES_MAX = 64 * 1024;

/** Control characters that text doesn't have. */
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/** The text that a body is, or null if it is binary. */
export function textOf(body) {
  try {
    const text = decodeText(body);
    return CONTROL.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** 'json', 'text', 'hex' or 'empty': what a body is best shown as. */
export function formOf(body) {
  if (!body.length) {
    return 'empty';
  }
  const text = textOf(firstLetters(body, SHOWN_BYTES_MAX));
  if (text === null) {
    return 'hex';
  }
  return body.length <= SHOWN_BYTES_MAX && isJson(text) ? 'json' : 'text';
}

/** One line of at most `length` letters, for a table. */
export function preview(body, length = 200) {
  const text = textOf(firstLetters(body, 4 * length));
  if (text === null) {
    return [...body.subarray(0, length / 3)].map(hexByte).join(' ');
  }
  return text.replace(/\s+/g, ' ').slice(0, length);
}

/** A body written out in one of these forms, as far as that makes sense. */
export function write(body, form) {
  const rest = body.length - SHOWN_BYTES_MAX;
  return written(body.subarray(0, SHOWN_BYTES_MAX), form) + (rest > 0 ? `\n… and ${rest.toLocaleString('en')} bytes more` : '');
}

/** All of a body for a field, { form: 'text' or 'hex', body }: as text only if the field gives back the same bytes. */
export function draftOf(body) {
  const text = textOf(body);
  if (text === null || text.includes('\r')) {
    return { form: 'hex', body: Array.from(body, hexByte).join(' ') };
  }
  return { form: 'text', body: text };
}

function written(body, form) {
  if (form === 'hex') {
    return hexDump(body);
  }
  const text = decodeTextLeniently(body);
  return form === 'json' ? layOutJson(text) ?? text : text;
}

/** Sixteen bytes a line: offset, hexadecimal, letters. */
export function hexDump(bytes) {
  const lines = [];
  for (let offset = 0; offset < bytes.length; offset += 16) {
    const line = [...bytes.subarray(offset, offset + 16)];
    const digits = line.map(hexByte).join(' ').padEnd(47);
    const letters = line.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·')).join('');
    lines.push(`${offset.toString(16).padStart(4, '0')}  ${digits}  ${letters}`);
  }
  return lines.join('\n');
}

function hexByte(byte) {
  return byte.toString(16).padStart(2, '0');
}

/** At most `length` bytes from the front, without the beginning of a letter that the cut would go through. */
function firstLetters(bytes, length) {
  if (bytes.length <= length) {
    return bytes;
  }
  let end = length;
  while (end > length - 4 && end > 0 && (bytes[end] & 0xc0) === 0x80) {
    end -= 1;
  }
  return bytes.subarray(0, end);
}
