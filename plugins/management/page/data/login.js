/**
 * Who is logged in: { user, password }, or { token, refresh, idToken, expiresAt } of an issuer. It is kept as long as the
 * tab is (session storage), and nowhere else.
 */

const KEY = 'warren.login';

/** The Authorization header of a login (RFC 7617, RFC 6750). */
export function authorization({ user, password, token }) {
  if (token !== undefined) {
    return `Bearer ${token}`;
  }
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** What clients of other protocols log in with: a token counts as a password. */
export function passwordOf({ password, token }) {
  return token ?? password;
}

/** The login of this tab, or null. */
export function remembered() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY));
    return typeof found?.user === 'string' || typeof found?.token === 'string' ? found : null;
  } catch {
    return null;
  }
}

export function remember(login) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(login));
  } catch {
    // Without storage, a reload asks again.
  }
}

export function forget() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // There is none.
  }
}

/** What each tag lets a user see; an administrator sees everything. */
const MAY = {
  management: ['management'],
  policymaker: ['management', 'policymaker'],
  monitoring: ['management', 'monitoring'],
  administrator: ['management', 'policymaker', 'monitoring', 'administrator'],
};

/** Whether one with these tags may do what takes the tag `wanted`. */
export function may(tags, wanted) {
  return tags.some((tag) => Object.hasOwn(MAY, tag) && MAY[tag].includes(wanted));
}
