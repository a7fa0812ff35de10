/** What the page remembers between visits (local storage): choices of how it looks, never a password. */

const PREFIX = 'warren.management.';

/** What was remembered by this name, or `otherwise`. */
export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Private windows may have no storage; then nothing is remembered.
  }
}
