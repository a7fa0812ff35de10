/** The last frames of a connection as the broker has decoded them, and what went wrong in words. */

import { element } from './dom.js';
import { valueText } from './facts.js';

export class FrameList {
  place = element('div');
  #shown = '';

  /** answer: of GET /connections/{name}/frames: an array of frames, or { frames, problem }. */
  show(answer) {
    const signature = JSON.stringify(answer);
    if (signature === this.#shown) {
      return;
    }
    this.#shown = signature;
    const frames = Array.isArray(answer) ? answer : answer.frames ?? [];
    const problem = answer.problem ?? answer.error ?? '';
    const list = element('ol', { class: 'frames', tabindex: '0', 'aria-label': 'Last frames' }, ...frames.map(drawFrame));
    this.place.replaceChildren(
      ...(problem ? [element('p', { class: 'form-error' }, problem)] : []),
      frames.length ? list : element('p', { class: 'muted' }, 'There are none yet: frames are kept while somebody looks.'),
    );
    list.scrollTop = list.scrollHeight;
  }
}

function drawFrame(frame) {
  const { direction, at, name, text, ...rest } = frame;
  const out = direction === 'out' || direction === 'sent' || direction === 'to client';
  const details = Object.entries(rest).map(([key, value]) => `${key}: ${valueText(value)}`).join(', ');
  return element(
    'li',
    { class: out ? 'out' : 'in' },
    element('span', { class: 'frame-way' }, out ? '→ client' : '← client'),
    element('code', {}, [name, text, details].filter(Boolean).join('  ')),
  );
}
