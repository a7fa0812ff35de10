/** Who is logged in. Name and password are kept as long as the tab is (session storage), and nowhere else. */

const KEY = 'warren.login';

/** The Authorization header of a user (RFC 7617). */
export function authorization(user, password) {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** { user, password } of this tab, or null. */
export function remembered() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY));
    return typeof found?.user === 'string' ? found : null;
  } catch {
    return null;
  }
}

export function remember(user, password) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ user, password }));
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
