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

  /** From now on, with another one. */
  authorize(authorization) {
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

  /**
   * What is answered piece by piece, for as long as there are any: begun() is called when the broker has agreed, and
   * line(value) with each line of JSON. Resolves when the broker has ended it. Throws as request() does.
   */
  async stream(path, query, signal, line, begun) {
    const response = await this.#send('GET', path + queryText(query), undefined, {}, signal, null);
    if (!response.ok) {
      throw new ApiError(response.status, reasonOf(response, await response.text()));
    }
    begun();
    for await (const text of linesOf(response.body, signal)) {
      line(JSON.parse(text));
    }
  }

  async #send(method, address, body, headers, signal, limitMs = ANSWER_MS) {
    const late = limitMs === null ? new AbortController().signal : AbortSignal.timeout(limitMs);
    try {
      return await fetch(`api${address}`, {
        method,
        headers: { ...(this.#authorization ? { authorization: this.#authorization } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
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

/** Each line that isn't empty, as it comes. */
async function* linesOf(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  while (true) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      throw signal.aborted ? error : new ApiError(0, 'The connection to the broker is lost.');
    }
    if (piece.done) {
      return;
    }
    const lines = (rest + piece.value).split('\n');
    rest = lines.pop();
    yield* lines.filter((text) => text !== '');
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
