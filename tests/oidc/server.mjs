// A real OpenID Connect provider on loopback, at which whoever comes is signed in without a question
// as the one whom the tests name in the file of people: {"who": ID, "accounts": {ID: CLAIMS}}.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

import Provider from "oidc-provider";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const people = () => JSON.parse(readFileSync(settings.people, "utf8"));
const SCOPES = "openid profile email groups";

const provider = new Provider(settings.issuer, {
  clients: [
    {
      client_id: settings.client_id,
      client_secret: settings.client_secret,
      redirect_uris: settings.callbacks,
    },
  ],
  claims: {
    openid: ["sub"],
    profile: ["preferred_username", "name"],
    email: ["email", "email_verified"],
    groups: ["groups"],
  },
  cookies: { keys: [settings.client_secret] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, ...people().accounts[id] }),
  }),
  loadExistingGrant: async (ctx) => {
    const { client, session } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(SCOPES);
    await grant.save();
    return grant;
  },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/interaction/")) return next();
  const { who } = people();
  const result = who
    ? { login: { accountId: who, remember: false } }
    : { error: "access_denied", error_description: "cancelled" };
  ctx.respond = false;
  return provider.interactionFinished(ctx.req, ctx.res, result);
});

const tls = { key: readFileSync(settings.key), cert: readFileSync(settings.certificate) };
createServer(tls, provider.callback()).listen(settings.port, "127.0.0.1");
