/** The nodes of a cluster, and its shards with their owners; out of sight where there is no cluster. */

import { link } from '../data/paths.js';
import { countText, durationText } from '../data/units.js';
import { badge, card, element, linkTo } from './dom.js';
import { stateMark } from './marks.js';
import { plainTable } from './plain_table.js';

const NODE_COLUMNS = ['Name', 'State', 'Version', 'Up for', { title: 'Shards', number: true }];
const SHARD_COLUMNS = [{ title: 'Shard', number: true }, 'Node', 'State', { title: 'Queues', number: true }, { title: 'Messages', number: true }, { title: 'Unconfirmed', number: true }];

export class ClusterCards {
  #nodes = element('div');
  #shards = element('div');
  place = element('div', { class: 'columns', hidden: '' }, card('Nodes', {}, this.#nodes), card('Shards', { note: 'figures of those that this node has' }, this.#shards));

  /** Whether there is a cluster, as far as is known. */
  get isThere() {
    return !this.place.hidden;
  }

  /** nodes: of GET /nodes. Whether they have just come into sight. */
  drawNodes(nodes) {
    const wasThere = this.isThere;
    this.place.hidden = !nodes.some(({ shards }) => shards !== undefined);
    const rows = nodes.map((node) => [node.name, stateOf(node), node.applications?.[0]?.version ?? '–', node.uptime === undefined ? '–' : durationText(node.uptime), node.shards === undefined ? '–' : String(node.shards)]);
    redraw(this.#nodes, rows, () => plainTable('Nodes', NODE_COLUMNS, rows.map(([name, state, ...rest]) => [linkTo(link('nodes', name), name), badge(state, KINDS[state]), ...rest])));
    return this.isThere && !wasThere;
  }

  /** shards: of GET /shards. */
  drawShards(shards) {
    redraw(this.#shards, shards, () => plainTable('Shards', SHARD_COLUMNS, shards.map(rowOf)));
  }
}

const KINDS = { running: 'good', draining: 'warn', down: 'bad' };

function stateOf({ running, being_drained: draining }) {
  if (!running) {
    return 'down';
  }
  return draining ? 'draining' : 'running';
}

function rowOf({ shard, node, state, reason, queues, messages, unconfirmed }) {
  const figures = [queues, messages, unconfirmed].map((figure) => (figure === undefined ? '' : countText(figure)));
  const words = element('span', {}, ...(state ? [stateMark(state)] : []), ...(reason ? [` ${reason}`] : []));
  return [String(shard), node ? linkTo(link('nodes', node), node) : 'nobody', words, ...figures];
}

function redraw(place, shown, draw) {
  const signature = JSON.stringify(shown);
  if (place.dataset.shows !== signature) {
    place.dataset.shows = signature;
    place.replaceChildren(draw());
  }
}
