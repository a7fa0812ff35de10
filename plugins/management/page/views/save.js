/** Saving text as a file, which the browser puts where it puts what is downloaded. */

import { element } from './dom.js';

/** The browser has read it long before. */
const KEPT_MS = 60_000;

export function saveText(text, type, name) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const anchor = element('a', { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
