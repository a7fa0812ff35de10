/** Addresses: those of the API, and those of the page's own rooms. Names are percent-encoded once. */

/** path`/queues/${vhost}/${name}`: an address of the API, below /api. */
export function path(texts, ...names) {
  return texts.reduce((found, text, index) => found + encodeURIComponent(names[index - 1]) + text);
}

/** How the API calls an exchange: the default one has no name, and a path needs one. */
export function exchangeName(name) {
  return name || 'amq.default';
}

/** The link to a room: link('queues', vhost, name). */
export function link(...parts) {
  return `#/${parts.map(encodeURIComponent).join('/')}`;
}

/** { parts, query } of a fragment; what isn't percent-encoded well is taken as it stands. */
export function parseFragment(fragment) {
  const [address, query = ''] = fragment.replace(/^#\/?/, '').split('?', 2);
  return { parts: address ? address.split('/').map(decoded) : [], query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** `?name=value…` of what isn't null, undefined or empty; nothing if there is none. */
export function queryText(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length ? `?${new URLSearchParams(given)}` : '';
}
