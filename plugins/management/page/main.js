/** The page's beginning: colours, the login, and then the shell with its rooms. */

import { Api } from './data/api.js';
import { forgetHistories } from './data/history.js';
import * as logins from './data/login.js';
import { Issuer } from './data/oauth.js';
import { Shell } from './shell.js';
import { Gate } from './views/gate.js';
import { followTheme } from './views/theme.js';

const gate = new Gate({ logIn: enter, goToIssuer: () => issuer.leave(location.hash) });
const shell = new Shell({ logOut });

/** Whoever issues tokens, where one may log in there. */
let issuer = null;

/** Ends with the login. */
let stay = new AbortController();

/** Asks the API who this is; throws its refusal. */
async function enter(login) {
  const api = new Api(logins.authorization(login));
  const who = await api.get('/whoami');
  logins.remember(login);
  gate.close();
  stay = new AbortController();
  issuer?.keepNew(login, stay.signal, (newer) => {
    logins.remember(newer);
    api.authorize(logins.authorization(newer));
    shell.password = logins.passwordOf(newer);
  });
  await shell.open(api, who, logins.passwordOf(login));
}

function leave(reason) {
  stay.abort();
  logins.forget();
  forgetHistories();
  shell.close();
  gate.open(reason);
}

async function logOut() {
  const login = logins.remembered();
  leave('');
  if (login?.token && issuer) {
    const there = await issuer.goodbye(login).catch(() => null);
    if (there !== null) {
      location.assign(there);
    }
  }
}

/** How one logs in here. Where nobody can say, with a name and password. */
async function settings() {
  const found = await new Api('').get('/auth').catch(() => ({}));
  if (found.oauth_enabled) {
    issuer = new Issuer(found);
  }
  gate.offer({ host: issuer?.host ?? null, passwords: !found.oauth_disable_basic_auth });
}

async function begin() {
  const known = logins.remembered();
  const asked = settings();
  if (known && !location.search.includes('state=')) {
    if (known.token) {
      await asked;
    }
    await gate.tryAgain(known);
    return;
  }
  await asked;
  try {
    const login = await issuer?.comeBack();
    await (login ? gate.tryAgain(login) : gate.open(''));
  } catch (error) {
    gate.open(error.message);
  }
}

addEventListener('warren-login-refused', ({ detail }) => leave(detail));

followTheme();
begin();
