/** The management API: requests with the user's login, and refusals in words. */

import { queryText } from './paths.js';

/** What an answer may take; a page that waits for ever says nothing. */
const ANSWER_MS = 30_000;

/** A request that was refused, or had no answer (status 0). */
export class ApiError extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

export class Api {
  #authorization;

  /** authorization: the header's value (login.js). */
  constructor(authorization) {
    this.#authorization = authorization;
  }

  /** What is at a path: `get('/queues', { page: 1 })`. */
  get(path, query = {}, options = {}) {
    return this.request('GET', path, { query, ...options });
  }

  put(path, body = {}, query = {}) {
    return this.request('PUT', path, { body, query });
  }

  post(path, body = {}, query = {}) {
    return this.request('POST', path, { body, query });
  }

  delete(path, query = {}, headers = {}) {
    return this.request('DELETE', path, { query, headers });
  }

  /** The answer, or null where there is none. Throws ApiError; an AbortError when `signal` says so. */
  async request(method, path, { body, query = {}, headers = {}, signal } = {}) {
    const response = await this.#send(method, path + queryText(query), body, headers, signal);
    const text = await response.text();
    if (!response.ok) {
      throw new ApiError(response.status, reasonOf(response, text));
    }
    try {
      return text ? JSON.parse(text) : null;
    } catch {
      throw new ApiError(response.status, 'The answer is no JSON: something between here and the broker has changed it.');
    }
  }

  async #send(method, address, body, headers, signal) {
    const late = AbortSignal.timeout(ANSWER_MS);
    try {
      return await fetch(`api${address}`, {
        method,
        headers: { authorization: this.#authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        // The browser would ask for a password by itself if it were allowed to add one.
        credentials: 'omit',
        signal: signal ? AbortSignal.any([signal, late]) : late,
      });
    } catch (error) {
      if (signal?.aborted) {
        throw error;
      }
      const slow = error.name === 'TimeoutError';
      throw new ApiError(0, slow ? 'The broker has not answered in time.' : 'The broker can’t be reached.');
    }
  }
}

function reasonOf(response, text) {
  try {
    const { error, reason } = JSON.parse(text);
    return String(reason ?? error);
  } catch {
    return text.trim().slice(0, 300) || `The broker answers ${response.status} ${response.statusText}`;
  }
}
