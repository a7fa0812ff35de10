/** A node in trouble, on every page: publishers wait, and whoever looks should know why. */

import { sizeText } from '../data/units.js';
import { byId, element } from './dom.js';

/** nodes: of GET /nodes. */
export function showAlarms(nodes) {
  const said = nodes.flatMap((node) => [
    ...(node.mem_alarm ? [`Memory alarm: ${sizeText(node.mem_used)} of ${sizeText(node.mem_limit)} are used. Publishers are blocked.`] : []),
    ...(node.disk_free_alarm ? [`Disk alarm: less than ${sizeText(node.disk_free_limit ?? 0)} are free. Publishers are blocked.`] : []),
  ]);
  const place = byId('alarms');
  // Only a change is announced; the figures alone are none.
  const kinds = said.map((each) => each.split(':', 1)[0]).join();
  if (place.dataset.shows !== kinds) {
    place.dataset.shows = kinds;
    place.replaceChildren(...said.map((text) => element('p', { class: 'alarm' }, text)));
  }
}
