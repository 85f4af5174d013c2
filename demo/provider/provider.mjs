// A provider of identities on this machine, for the demo and the tests: the certified oidc-provider with one client and
// the people of a file, which is read at each question, so that a change to it counts at once.
//
//   node provider.mjs SETTINGS.json
//
// Settings: issuer, port, people (a path), client (id, secret, callback_url, signed_out_url), perhaps behind_tls.
// People: by name {password, claims}; `claims` are given to the hub as they are, `acr` and `amr` in the id token.
import { generateKeyPairSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const settings = JSON.parse(readFileSync(process.argv[2]));
const people = () => JSON.parse(readFileSync(settings.people));
const ours = ['sub', 'acr', 'amr'];

const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });

const configuration = {
  jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256', kid: randomBytes(8).toString('hex') }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  clients: [{
    client_id: settings.client.id,
    client_secret: settings.client.secret,
    redirect_uris: [settings.client.callback_url],
    post_logout_redirect_uris: [settings.client.signed_out_url],
    grant_types: ['authorization_code', 'refresh_token'],
  }],
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true, logoutSource } },
  acrValues: ['https://refeds.org/profile/mfa', 'password'],
  claims: {
    acr: null,
    openid: ours,
    profile: ['preferred_username', 'name', 'groups', 'realm_access', 'eduperson_entitlement', 'eduperson_assurance'],
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  ttl: { AccessToken: 300, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 86400, IdToken: 300 },
  issueRefreshToken: async () => true,
  rotateRefreshToken: () => true,
  async findAccount(ctx, id) {
    const person = people()[id];
    return person && { accountId: id, claims: async () => ({ sub: id, ...person.claims }) };
  },
  // its one client is the hub: nobody is asked whether it may know them
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile offline_access');
    await grant.save();
    return grant;
  },
};

const text = (value) => String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const name = 'The demo’s provider of identities';
const style = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
main { margin: 0 auto; max-width: 22rem; padding: 2.5rem 1rem; }
input, button { box-sizing: border-box; font: inherit; min-height: 2.75rem; padding: 0 .75rem; width: 100%; }
input { display: block; margin-top: .25rem; }
button { margin-top: .5rem; }
footer { border-top: 1px solid; margin-top: 2.5rem; padding-top: .5rem; }`;

function page(title, body) {
  return `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>${title} – ${name}</title>
<meta name="viewport" content="width=device-width"><style>${style}</style>
<main><h1>${title}</h1>${body}<footer>${name}</footer></main></html>`;
}

function form(uid, said) {
  return page('Sign in', `<p>${said}</p><form method="post" action="/interaction/${text(uid)}">
<p><label>Name <input name="name" autocomplete="username" required autofocus></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Sign in</button></p></form>`);
}

async function logoutSource(ctx, logout) {
  ctx.body = page('Sign out', `${logout}<p><button form="op.logoutForm" name="logout" value="yes">Sign out</button></p>`);
}

function right(person, password) {
  const [known, given] = [person?.password ?? randomBytes(16).toString('hex'), password ?? ''].map(Buffer.from);
  return known.length === given.length && timingSafeEqual(known, given);
}

async function fieldsOf(request) {
  let body = '';
  for await (const piece of request) {
    body += piece;
    if (body.length > 10000) throw new Error('the form is too long');
  }
  return new URLSearchParams(body);
}

const provider = new Provider(settings.issuer, configuration);

provider.use(async (ctx, next) => {
  const found = /^\/interaction\/([\w-]+)$/.exec(ctx.path);
  if (!found) return next();
  const { uid } = await provider.interactionDetails(ctx.req, ctx.res);
  ctx.set('Cache-Control', 'no-store');
  if (ctx.method !== 'POST') {
    ctx.body = form(uid, 'People of the demo, and their password.');
    return undefined;
  }
  const fields = await fieldsOf(ctx.req);
  const name = fields.get('name');
  const person = Object.hasOwn(people(), name) ? people()[name] : undefined;
  if (!right(person, fields.get('password'))) {
    ctx.status = 403;
    ctx.body = form(uid, 'This name and this password do not belong together.');
    return undefined;
  }
  const { acr, amr } = person.claims;
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: name, acr, amr } });
  return undefined;
});

// where TLS ends before it, it believes what it is told of the address that was asked for
provider.proxy = settings.behind_tls === true;
provider.listen(settings.port, '127.0.0.1');
