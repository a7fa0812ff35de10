/**
 * What the page remembers (local storage), and what a link carries (the URL's fragment). Never the password.
 *
 * A link may come from anybody, so it can't name another host to log in at: a URL in a fragment counts only if its host
 * name is the page's own.
 */

const KEY = 'warren.page';

/** What was remembered; empty if nothing was, or the browser doesn't allow it. */
export function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export function save(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Private windows may have no storage; then nothing is remembered.
  }
}

/** connection: protocol, url, user, vhost; subscriptions: destination, mode; destination: of the next message. */
export function toFragment({ connection, subscriptions, destination }) {
  const parameters = new URLSearchParams();
  for (const name of ['protocol', 'url', 'user', 'vhost']) {
    parameters.set(name, connection[name]);
  }
  for (const each of subscriptions) {
    parameters.append('subscribe', `${each.mode} ${each.destination}`);
  }
  if (destination) {
    parameters.set('publish', destination);
  }
  return `#${parameters}`;
}

/** The reverse: what there is of it in a fragment, or null. hostname: the page's own. */
export function fromFragment(fragment, hostname) {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  if (![...parameters].length) {
    return null;
  }
  const names = ['protocol', 'user', 'vhost', ...(isOwn(parameters.get('url'), hostname) ? ['url'] : [])];
  const connection = Object.fromEntries(names.filter((name) => parameters.has(name)).map((name) => [name, parameters.get(name)]));
  const subscriptions = parameters.getAll('subscribe').map((each) => {
    const [, mode, destination] = /^(\S*) (.*)$/.exec(each) ?? [null, '', each];
    return { mode, destination };
  });
  return { connection, subscriptions, destination: parameters.get('publish') ?? '' };
}

/** Whether a URL, which may be none, names the page's own host. */
export function isOwn(url, hostname) {
  try {
    return new URL(url).hostname === hostname;
  } catch {
    return false;
  }
}
