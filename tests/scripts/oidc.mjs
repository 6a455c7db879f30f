// An OAuth server for tests, made of oidc-provider, and the browser of a user who agrees to everything.
//
// `/browse?url=…` opens a page as a browser does, with cookies and redirects, and answers where it ended. `/enter?code=…`
// types the code of a device login. `/counts` tells how often each grant was used, and how often it was refused.
// usage: oidc.mjs FOLDER-WITH-OIDC-PROVIDER
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const entry = path.join(process.argv[2], "node_modules/oidc-provider/lib/index.js");
const { default: Provider } = await import(pathToFileURL(entry));

const server = http.createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const deviceCode = "urn:ietf:params:oauth:grant-type:device_code";
const page = (ctx, form) => { ctx.body = form; };

const provider = new Provider(issuer, {
  clients: [{
    client_id: "kit-tests",
    application_type: "native",
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token", deviceCode],
    response_types: ["code"],
    redirect_uris: ["http://localhost/callback"],
  }],
  cookies: { keys: ["tests"] },
  features: {
    devInteractions: { enabled: false },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: page,
      userCodeConfirmSource: page,
      successSource: (ctx) => page(ctx, "done"),
    },
  },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: () => true,
  pkce: { required: () => true },
  rotateRefreshToken: true,
  // Shorter than the time before its end at which a token is renewed, so that every request renews.
  ttl: { AccessToken: 60, DeviceCode: 600, Grant: 3600, Interaction: 600, RefreshToken: 3600, Session: 3600, IdToken: 60 },
});

const counts = {};
const count = (name) => { counts[name] = (counts[name] ?? 0) + 1; };
provider.on("grant.success", (ctx) => count(ctx.oidc.params.grant_type));
provider.on("grant.error", (ctx, error) => count(`${ctx.oidc?.params?.grant_type} ${error.error}`));

async function agree(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    await provider.interactionFinished(request, response, { login: { accountId: "ada" } });
    return;
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

// A browser: cookies of one login, redirects followed wherever they lead.
class Browser {
  cookies = new Map();

  async open(url, form) {
    for (let step = 0; step < 20; step++) {
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const response = await fetch(url, {
        method: form ? "POST" : "GET",
        body: form && new URLSearchParams(form),
        headers: { cookie },
        redirect: "manual",
      });
      for (const line of response.headers.getSetCookie()) {
        const [name, ...value] = line.split(";")[0].split("=");
        this.cookies.set(name, value.join("="));
      }
      const location = response.headers.get("location");
      if (!location) return { url, status: response.status, text: await response.text() };
      url = new URL(location, url).href;
      form = undefined;
    }
    throw new Error(`${url} goes in circles`);
  }
}

async function enter(code) {
  const browser = new Browser();
  const url = `${issuer}/device`;
  const hidden = (text) => text.match(/name="xsrf" value="([^"]+)"/)?.[1];
  const first = await browser.open(url);
  const second = await browser.open(url, { xsrf: hidden(first.text), user_code: code });
  return browser.open(url, { xsrf: hidden(second.text), user_code: code, confirm: "yes" });
}

const callback = provider.callback();
server.on("request", async (request, response) => {
  const url = new URL(request.url, issuer);
  const tell = (value) => response.setHeader("connection", "close").end(JSON.stringify(value));
  try {
    if (url.pathname === "/browse") tell(await new Browser().open(url.searchParams.get("url")));
    else if (url.pathname === "/enter") tell(await enter(url.searchParams.get("code")));
    else if (url.pathname === "/counts") tell(counts);
    else if (url.pathname.startsWith("/interaction/")) await agree(request, response);
    else callback(request, response);
  } catch (error) {
    response.statusCode = 500;
    tell({ error: String(error) });
  }
});
console.log(`listening on ${issuer}`);
