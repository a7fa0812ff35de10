/** Limits of virtual hosts and of users, as the API calls them. */

const RATES = ['max-message-rate', 'max-byte-rate', 'max-message-rate-per-connection', 'max-byte-rate-per-connection'];

export const VHOST_LIMITS = ['max-connections', 'max-queues', ...RATES];
export const USER_LIMITS = ['max-connections', 'max-channels', ...RATES];

/** The lowest that a limit can be: a rate of nothing is none. */
export function leastOf(limit) {
  return RATES.includes(limit) ? 1 : 0;
}

/** How a limit is called; of a rate, in which time. */
export function limitText(limit) {
  return RATES.includes(limit) ? `${limit} (in a second)` : limit;
}
