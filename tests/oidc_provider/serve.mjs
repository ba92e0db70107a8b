// A real OpenID provider on loopback. Who signs in is whoever the test names in login_hint; its accounts are below.
// Arguments: the port, the redirect addresses of the clients (separated by commas).
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [port, redirects] = process.argv.slice(2);
const accounts = {
  ida: { name: "Ida Ito", preferred_username: "ida", groups: ["staff", "seniors"], amr: ["pwd", "mfa"] },
  jo: { name: "Jo \u202e Jones", preferred_username: "jo", groups: ["staff"], amr: ["pwd"] },
  kim: { name: "Kim", preferred_username: "kim", groups: [], amr: ["pwd", "otp"] },
};
const client = { redirect_uris: redirects.split(","), grant_types: ["authorization_code"], response_types: ["code"] };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { client_id: "basic", client_secret: "only for tests: a:b %+", ...client },
    { client_id: "posted", client_secret: "only for tests", token_endpoint_auth_method: "client_secret_post", ...client },
    { client_id: "public", token_endpoint_auth_method: "none", id_token_signed_response_alg: "RS256", ...client },
  ],
  claims: { openid: ["sub", "amr"], profile: ["name", "preferred_username", "groups"] },
  // true: claims of a scope are at the userinfo endpoint only, as the standard has it
  conformIdTokenClaims: true,
  cookies: { keys: ["only for tests"] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  ttl: { Session: 600, Interaction: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
  findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid profile");
    await grant.save();
    return grant;
  },
});

const answer = provider.callback();
createServer(async (request, response) => {
  if (!request.url.startsWith("/interaction/")) return answer(request, response);
  try {
    const { params } = await provider.interactionDetails(request, response);
    const known = accounts[params.login_hint];
    const result = known
      ? { login: { accountId: params.login_hint, amr: known.amr } }
      : { error: "access_denied", error_description: "no such account" };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}).listen(Number(port), "127.0.0.1", () => console.log("listening"));
