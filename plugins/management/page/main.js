/** The page's beginning: colours, the login, and then the shell with its rooms. */

import { Api } from './data/api.js';
import { forgetHistories } from './data/history.js';
import * as login from './data/login.js';
import { Shell } from './shell.js';
import { Gate } from './views/gate.js';
import { followTheme } from './views/theme.js';

const gate = new Gate({ logIn: (user, password) => enter(user, password) });
const shell = new Shell({ logOut: () => leave('') });

/** Asks the API who this is; throws its refusal. */
async function enter(user, password) {
  const api = new Api(login.authorization(user, password));
  const who = await api.get('/whoami');
  login.remember(user, password);
  gate.close();
  await shell.open(api, who, password);
}

function leave(reason) {
  login.forget();
  forgetHistories();
  shell.close();
  gate.open(reason);
}

addEventListener('warren-login-refused', ({ detail }) => leave(detail));

followTheme();
const known = login.remembered();
if (known) {
  gate.tryAgain(known.user, known.password);
} else {
  gate.open('');
}
