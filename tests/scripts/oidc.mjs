// An OAuth server for tests, made of oidc-provider, and the browser of a user who agrees to everything.
//
// `/browse?url=…` opens a page as a browser does, with cookies and redirects, and answers where it ended. `/enter?code=…`
// types the code of a device login. `/counts` tells how often each grant was used, and how often it was refused.
// `/mcp` is an MCP server that wants a token of this very server, with a tool that says whose it is; `/forget` lets it
// refuse every token that it has seen.
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
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({ scope: "mcp", audience: resource, accessTokenFormat: "opaque" }),
      useGrantedResource: () => true,
    },
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
  scopes: ["openid", "offline_access", "mcp"],
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
  if (params.resource) grant.addResourceScope(params.resource, "mcp");
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

const seen = new Set();
const refused = new Set();

// An MCP server of one tool, behind a token.
async function mcp(request, response) {
  const token = request.headers.authorization?.replace("Bearer ", "");
  const found = token && !refused.has(token) && (await provider.AccessToken.find(token));
  if (!found) {
    const metadata = `${issuer}/.well-known/oauth-protected-resource/mcp`;
    const challenge = `Bearer resource_metadata="${metadata}", scope="mcp"`;
    response.writeHead(401, { "www-authenticate": challenge }).end();
    return;
  }
  seen.add(token);
  if (request.method !== "POST") {
    response.writeHead(405).end();
    return;
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  const { id, method, params } = JSON.parse(body);
  const results = {
    initialize: () => ({
      protocolVersion: params.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: "tracker", version: "1" },
    }),
    "tools/list": () => ({ tools: [{ name: "whoami", description: "Says who you are.", inputSchema: { type: "object" } }] }),
    "tools/call": () => ({ content: [{ type: "text", text: found.accountId }] }),
  };
  if (id === undefined) {
    response.writeHead(202).end();
    return;
  }
  const result = results[method]?.() ?? {};
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
}

const callback = provider.callback();
server.on("request", async (request, response) => {
  const url = new URL(request.url, issuer);
  const tell = (value) => response.setHeader("connection", "close").end(JSON.stringify(value));
  try {
    if (url.pathname === "/browse") tell(await new Browser().open(url.searchParams.get("url")));
    else if (url.pathname === "/enter") tell(await enter(url.searchParams.get("code")));
    else if (url.pathname === "/counts") tell(counts);
    else if (url.pathname === "/mcp") await mcp(request, response);
    else if (url.pathname === "/.well-known/oauth-protected-resource/mcp") {
      response.setHeader("content-type", "application/json");
      tell({ resource: `${issuer}/mcp`, authorization_servers: [issuer], scopes_supported: ["mcp"] });
    }
    else if (url.pathname === "/forget") {
      for (const token of seen) refused.add(token);
      tell({ refused: refused.size });
    }
    else if (url.pathname.startsWith("/interaction/")) await agree(request, response);
    else callback(request, response);
  } catch (error) {
    response.statusCode = 500;
    tell({ error: String(error) });
  }
});
console.log(`listening on ${issuer}`);
