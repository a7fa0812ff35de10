/** Random text and hashes, in the letters of base64url without padding (RFC 4648, 5). */

const BYTES = 32;

/** 43 letters that nobody guesses. */
export function randomText() {
  return base64url(crypto.getRandomValues(new Uint8Array(BYTES)));
}

export async function sha256(text) {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
