/**
 * All rooms: where each is, what it is called, which tag it takes, and the module that opens it, which is loaded when
 * somebody enters. at: the parts of the address, with names as `:name`. group: where it stands in the navigation; a
 * room without one is reached from within another; back: which, where its address doesn't say. operation: what the API must have for it, else the room says so.
 */

export const ROOMS = [
  { at: [], title: 'Overview', group: 'Broker', load: () => import('./rooms/overview.js') },
  { at: ['nodes', ':node'], title: 'Node', tag: 'monitoring', back: [], load: () => import('./rooms/node.js') },
  { at: ['connections'], title: 'Connections', group: 'Broker', load: () => import('./rooms/connections.js') },
  { at: ['connections', ':name'], title: 'Connection', load: () => import('./rooms/connection.js') },
  { at: ['channels'], title: 'Channels', group: 'Broker', load: () => import('./rooms/channels.js') },
  { at: ['channels', ':name'], title: 'Channel', load: () => import('./rooms/channel.js') },
  { at: ['exchanges'], title: 'Exchanges', group: 'Broker', load: () => import('./rooms/exchanges.js') },
  { at: ['exchanges', ':vhost', ':name'], title: 'Exchange', load: () => import('./rooms/exchange.js') },
  { at: ['queues'], title: 'Queues', group: 'Broker', load: () => import('./rooms/queues.js') },
  { at: ['queues', ':vhost', ':name'], title: 'Queue', load: () => import('./rooms/queue.js') },
  {
    at: ['explain'],
    title: 'Where would it go?',
    group: 'Messages',
    operation: ['POST', '/explain/{vhost}'],
    load: () => import('./rooms/explain.js'),
  },
  { at: ['tap'], title: 'Live tap', group: 'Messages', operation: ['GET', '/tail/{vhost}'], load: () => import('./rooms/tap.js') },
  { at: ['live'], title: 'WebSocket client', group: 'Messages', load: () => import('./rooms/live.js') },
  { at: ['delayed'], title: 'Delayed messages', group: 'Messages', operation: ['GET', '/delayed'], load: () => import('./rooms/delayed.js') },
  {
    at: ['mqtt', 'sessions'],
    title: 'MQTT sessions',
    group: 'Messages',
    operation: ['GET', '/mqtt/sessions'],
    load: () => import('./rooms/mqtt_sessions.js'),
  },
  {
    at: ['mqtt', 'sessions', ':vhost', ':name'],
    title: 'MQTT session',
    operation: ['GET', '/mqtt/sessions/{vhost}/{client}'],
    load: () => import('./rooms/mqtt_session.js'),
  },
  {
    at: ['mqtt', 'retained'],
    title: 'Retained messages',
    group: 'Messages',
    operation: ['GET', '/mqtt/retained/{vhost}'],
    load: () => import('./rooms/mqtt_retained.js'),
  },
  { at: ['shovels'], title: 'Shovels', group: 'Other brokers', tag: 'monitoring', operation: ['GET', '/shovels'], load: () => import('./rooms/shovels.js') },
  {
    at: ['federation'],
    title: 'Federation',
    group: 'Other brokers',
    tag: 'monitoring',
    operation: ['GET', '/federation-links'],
    load: () => import('./rooms/federation.js'),
  },
  { at: ['policies'], title: 'Policies', group: 'Administration', tag: 'policymaker', load: () => import('./rooms/policies.js') },
  { at: ['users'], title: 'Users', group: 'Administration', tag: 'administrator', load: () => import('./rooms/users.js') },
  { at: ['users', ':name'], title: 'User', tag: 'administrator', load: () => import('./rooms/user.js') },
  { at: ['vhosts'], title: 'Virtual hosts', group: 'Administration', load: () => import('./rooms/vhosts.js') },
  { at: ['vhosts', ':name'], title: 'Virtual host', load: () => import('./rooms/vhost.js') },
  { at: ['doctor'], title: 'Doctor', group: 'Broker', tag: 'administrator', operation: ['GET', '/doctor'], load: () => import('./rooms/doctor.js') },
  { at: ['limits'], title: 'Limits', group: 'Administration', tag: 'administrator', load: () => import('./rooms/limits.js') },
  { at: ['definitions'], title: 'Definitions', group: 'Administration', tag: 'administrator', load: () => import('./rooms/definitions.js') },
  { at: ['plugins'], title: 'Plugins and features', group: 'Administration', tag: 'monitoring', load: () => import('./rooms/plugins.js') },
];

/** { room, names } of an address's parts, or null where there is none. */
export function findRoom(parts) {
  for (const room of ROOMS) {
    const fits = room.at.length === parts.length && room.at.every((part, index) => part.startsWith(':') || part === parts[index]);
    if (fits) {
      const names = room.at.flatMap((part, index) => (part.startsWith(':') ? [[part.slice(1), parts[index]]] : []));
      return { room, names: Object.fromEntries(names) };
    }
  }
  return null;
}
