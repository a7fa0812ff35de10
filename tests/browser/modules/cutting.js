/** Cuts bytes in every way that matters: whole, byte by byte, and at places by chance (the same ones every time). */

/** Numbers from 0 to 1 that look like chance (mulberry32). */
export function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function* cuts(bytes) {
  yield [bytes];
  yield Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
  for (let seed = 1; seed <= 50; seed += 1) {
    const random = chance(seed);
    const pieces = [];
    for (let offset = 0; offset < bytes.length; ) {
      const end = offset + 1 + Math.floor(random() * 12);
      pieces.push(bytes.subarray(offset, end));
      offset = end;
    }
    yield pieces;
  }
}
