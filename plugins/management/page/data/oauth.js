/**
 * Logging in at an issuer of tokens: OAuth 2's authorization code with PKCE (RFC 6749 4.1, RFC 7636), as OpenID Connect
 * describes issuers.
 *
 * The page goes to the issuer and comes back with a code in its address, which is exchanged for a token. What has to be
 * known when it comes back is kept in the tab meanwhile, a verifier among it, so that a code is worth nothing to who
 * reads it on its way.
 */

import { randomText, sha256 } from './random.js';

const KEY = 'warren.oauth';

/** So long before a token expires it is renewed. */
const EARLY_MS = 30_000;

const ANSWER_MS = 30_000;

/** setTimeout knows no more. */
const PAUSE_MS_MAX = 0x7fff_ffff;

export class Issuer {
  /** settings: of GET /auth, with OAuth 2 enabled. */
  constructor(settings) {
    this.clientId = settings.oauth_client_id;
    this.scopes = settings.oauth_scopes;
    this.metadataUrl = settings.oauth_metadata_url;
    this.host = new URL(settings.oauth_provider_url).host;
  }

  /** Goes there. back: the fragment to come back to. Throws what is in the way, in words. */
  async leave(back) {
    if (!globalThis.crypto?.subtle) {
      throw new Error('This takes HTTPS: over plain HTTP the browser gives a page no cryptography.');
    }
    const { authorization_endpoint: endpoint } = await this.#metadata();
    const state = randomText();
    const verifier = randomText();
    sessionStorage.setItem(KEY, JSON.stringify({ state, verifier, back }));
    location.assign(withQuery(endpoint, {
      response_type: 'code',
      client_id: this.clientId,
      redirect_uri: ownAddress(),
      scope: this.scopes,
      state,
      code_challenge: await sha256(verifier),
      code_challenge_method: 'S256',
    }));
  }

  /** The login that the address brings; null where it brings none. Takes it out of the address. */
  async comeBack() {
    const query = new URLSearchParams(location.search);
    if (!query.has('state') || !(query.has('code') || query.has('error'))) {
      return null;
    }
    const known = taken();
    history.replaceState(null, '', location.pathname + (known?.back ?? ''));
    if (query.has('error')) {
      throw new Error(`${this.host} says: ${query.get('error_description') ?? query.get('error')}`);
    }
    if (known === null || query.get('state') !== known.state) {
      throw new Error('This answer of a login is nobody’s here: log in again.');
    }
    const { issuer } = await this.#metadata();
    if (query.has('iss') && query.get('iss') !== issuer) {
      throw new Error(`The answer is of ${query.get('iss')}, another issuer (RFC 9207).`);
    }
    return this.#token({ grant_type: 'authorization_code', code: query.get('code'), redirect_uri: ownAddress(), code_verifier: known.verifier });
  }

  /** Has `renewed(login)` called with a newer login in time, again and again, until the signal is aborted. */
  keepNew(login, signal, renewed) {
    if (!login.refresh || !login.expiresAt) {
      return;
    }
    const timer = setTimeout(async () => {
      try {
        const newer = { ...login, ...(await this.#token({ grant_type: 'refresh_token', refresh_token: login.refresh })) };
        if (!signal.aborted) {
          renewed(newer);
          this.keepNew(newer, signal, renewed);
        }
      } catch {
        // The token goes on until it expires; then the API refuses it.
      }
    }, Math.min(PAUSE_MS_MAX, Math.max(1000, login.expiresAt - Date.now() - EARLY_MS)));
    signal.addEventListener('abort', () => clearTimeout(timer));
  }

  /** Where one logs out of the issuer as well; null where it has no such place. */
  async goodbye({ idToken }) {
    const { end_session_endpoint: endpoint } = await this.#metadata();
    const hint = idToken ? { id_token_hint: idToken } : {};
    return endpoint ? withQuery(endpoint, { ...hint, client_id: this.clientId, post_logout_redirect_uri: ownAddress() }) : null;
  }

  async #metadata() {
    this.known ??= await this.#ask(this.metadataUrl, {});
    return this.known;
  }

  async #token(parameters) {
    const { token_endpoint: endpoint } = await this.#metadata();
    const found = await this.#ask(endpoint, { method: 'POST', body: new URLSearchParams({ ...parameters, client_id: this.clientId }) });
    return {
      token: found.access_token,
      ...(found.refresh_token ? { refresh: found.refresh_token } : {}),
      ...(found.id_token ? { idToken: found.id_token } : {}),
      ...(found.expires_in ? { expiresAt: Date.now() + Number(found.expires_in) * 1000 } : {}),
    };
  }

  async #ask(url, options) {
    let response;
    try {
      response = await fetch(url, { credentials: 'omit', signal: AbortSignal.timeout(ANSWER_MS), ...options });
    } catch {
      throw new Error(`${this.host} can’t be asked from here: it isn’t reached, or doesn’t let this page ask (CORS).`);
    }
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) {
      throw new Error(`${this.host} refuses: ${answer.error_description ?? answer.error ?? response.status}`);
    }
    return answer;
  }
}

/** The page's own address, as the issuer has it registered. */
function ownAddress() {
  return location.origin + location.pathname;
}

function withQuery(address, parameters) {
  const url = new URL(address);
  for (const [name, value] of Object.entries(parameters)) {
    url.searchParams.set(name, value);
  }
  return url.href;
}

/** What was kept before the page went to the issuer; it counts once. */
function taken() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
    return found;
  } catch {
    return null;
  }
}
