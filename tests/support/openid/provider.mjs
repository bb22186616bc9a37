// An OpenID provider for the tests: oidc-provider, a certified implementation, with its own pages for development.
import Provider from "oidc-provider";

const [port, redirect, algorithm] = process.argv.slice(2);
const groups = { hanako: ["noc"], jiro: ["helpdesk", "noc"], visitor: ["guests"] };
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "console", client_secret: "a secret of the client's own", redirect_uris: [redirect],
    id_token_signed_response_alg: algorithm,
  }],
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "PS256", "HS256"] },
  jwks: { keys: JSON.parse(process.env.KEYS) },
  pkce: { methods: ["S256"], required: () => true },
  claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
  cookies: { keys: ["only for tests"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: `u-${id}`, preferred_username: id, groups: groups[id] ?? [] }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
