//! What a server offers: read leniently, so that one thing that is none does not hide the others, and with caps.

use std::time::Duration;

use kit_protocol::McpServer;
use rmcp::model::{
    ClientRequest, ListPromptsRequest, ListResourceTemplatesRequest, ListResourcesRequest, ListToolsRequest,
    PaginatedRequestParams,
};
use rmcp::service::{Peer, PeerRequestOptions, RoleClient, ServiceError};
use serde_json::{Value, json};

use super::content;
use crate::caps;

/// How long one page of a list may take.
const PAGE_LIMIT: Duration = Duration::from_secs(20);
/// Pages of one list.
const MOST_PAGES: usize = 50;
/// Things of one list.
const MOST: usize = 500;
/// Tools of one server: all of them stand in every request to a model.
const MOST_TOOLS: usize = 200;
/// Bytes of the schema of one tool.
const LARGEST_SCHEMA: usize = 48 * 1024;
/// How deep a schema may be.
const DEEPEST_SCHEMA: usize = 32;
/// Bytes of what a model reads about one tool.
const LONGEST_DESCRIPTION: usize = 8 * 1024;
/// Bytes of what people read about one thing.
const LONGEST_LINE: usize = 300;
/// Bytes of a name or an address.
const LONGEST_NAME: usize = 2000;

/// What a server offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Offers {
    pub(super) tools: Vec<ToolOffer>,
    pub(super) prompts: Vec<PromptOffer>,
    pub(super) resources: Vec<ResourceOffer>,
    /// What was left out, and why.
    pub(super) left_out: Vec<String>,
}

/// A tool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolOffer {
    /// The name that the server gives it.
    pub(super) own_name: String,
    /// The name that models call.
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) description: String,
    pub(super) schema: Value,
    pub(super) reads_only: bool,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PromptOffer {
    pub(super) own_name: String,
    pub(super) description: String,
    pub(super) arguments: Vec<PromptArgument>,
}

/// An argument of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PromptArgument {
    pub(super) name: String,
    pub(super) required: bool,
}

/// A resource, or the template of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResourceOffer {
    pub(super) uri: String,
    pub(super) description: String,
    /// Whether `uri` has parts in braces that are to be filled in.
    pub(super) is_template: bool,
}

/// Which lists a server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) tools: bool,
    pub(super) prompts: bool,
    pub(super) resources: bool,
}

/// Asks for everything that the server offers. An error is that of the connection.
pub(super) async fn list(
    peer: &Peer<RoleClient>,
    server: &str,
    settings: &McpServer,
    lists: Lists,
) -> Result<Offers, ServiceError> {
    let mut offers = Offers::default();
    if lists.tools {
        let request =
            |page| ClientRequest::ListToolsRequest(ListToolsRequest { params: page, ..Default::default() });
        for tool in pages(peer, "tools", request, &mut offers.left_out).await? {
            match read_tool(server, &tool) {
                Ok(tool) if !content::is_offered(settings, &tool.own_name) => {}
                Ok(tool) if offers.tools.iter().any(|other| other.name == tool.name) => {
                    offers.left_out.push(format!("a second tool `{}`", tool.own_name));
                }
                Ok(tool) => offers.tools.push(tool),
                Err(why) => offers.left_out.push(why),
            }
        }
        if offers.tools.len() > MOST_TOOLS {
            let more = offers.tools.len() - MOST_TOOLS;
            offers.left_out.push(format!("{more} more tools; name those that you need in `allowedTools`"));
            offers.tools.truncate(MOST_TOOLS);
        }
    }
    if lists.prompts {
        let request = |page| {
            ClientRequest::ListPromptsRequest(ListPromptsRequest { params: page, ..Default::default() })
        };
        let prompts = pages(peer, "prompts", request, &mut offers.left_out).await?;
        offers.prompts = prompts.iter().filter_map(read_prompt).collect();
    }
    if lists.resources {
        let request = |page| {
            ClientRequest::ListResourcesRequest(ListResourcesRequest { params: page, ..Default::default() })
        };
        let resources = pages(peer, "resources", request, &mut offers.left_out).await?;
        offers.resources = resources.iter().filter_map(|one| read_resource(one, "uri")).collect();
        let request = |page| {
            ClientRequest::ListResourceTemplatesRequest(ListResourceTemplatesRequest {
                params: page,
                ..Default::default()
            })
        };
        // Many servers have resources and know no templates.
        let mut ignored = Vec::new();
        let templates = pages(peer, "resourceTemplates", request, &mut ignored).await?;
        offers.resources.extend(templates.iter().filter_map(|one| read_resource(one, "uriTemplate")));
    }
    Ok(offers)
}

/// The things of a list, page by page. A list that the server does not answer as one is left out.
async fn pages(
    peer: &Peer<RoleClient>,
    key: &str,
    request: impl Fn(Option<PaginatedRequestParams>) -> ClientRequest,
    left_out: &mut Vec<String>,
) -> Result<Vec<Value>, ServiceError> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let page = cursor.take().map(|cursor| PaginatedRequestParams::default().with_cursor(Some(cursor)));
        let sent = peer.send_request_with_option(request(page), PeerRequestOptions::with_timeout(PAGE_LIMIT));
        let answered = match sent.await {
            Ok(handle) => handle.await_response().await,
            Err(error) => Err(error),
        };
        let answer = match answered {
            Ok(answer) => serde_json::to_value(&answer).unwrap_or_default(),
            Err(error @ (ServiceError::TransportClosed | ServiceError::TransportSend(_))) => {
                return Err(error);
            }
            Err(error) => {
                left_out
                    .push(format!("its list of {key} ({})", caps::line(&error.to_string(), LONGEST_LINE)));
                return Ok(found);
            }
        };
        let Some(listed) = answer.get(key).and_then(Value::as_array) else {
            left_out.push(format!("its list of {key}, which is none"));
            return Ok(found);
        };
        found.extend(listed.iter().take(MOST.saturating_sub(found.len())).cloned());
        cursor = answer.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(found);
        }
        if found.len() >= MOST {
            break;
        }
    }
    left_out.push(format!("the rest of its list of {key}, which is too long"));
    Ok(found)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn name_of<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    text(value, key).filter(|name| name.len() <= LONGEST_NAME)
}

/// The first line of a description.
fn line_of(value: &Value) -> String {
    let told = text(value, "description").or_else(|| text(value, "title")).unwrap_or_default();
    caps::line(told.lines().next().unwrap_or_default(), LONGEST_LINE).into_owned()
}

fn read_tool(server: &str, tool: &Value) -> Result<ToolOffer, String> {
    let own_name = name_of(tool, "name").ok_or("a tool without a name")?;
    let annotations = tool.get("annotations").cloned().unwrap_or_default();
    let title = text(tool, "title").or_else(|| text(&annotations, "title"));
    let description = text(tool, "description").unwrap_or_default();
    Ok(ToolOffer {
        own_name: own_name.to_owned(),
        name: content::tool_name(server, own_name),
        title: title.map(|title| caps::line(title, LONGEST_LINE).into_owned()),
        description: caps::head(description, usize::MAX, LONGEST_DESCRIPTION).into_owned(),
        schema: schema(tool.get("inputSchema")).map_err(|why| {
            format!("the tool `{}`, whose schema {why}", caps::line(own_name, LONGEST_LINE))
        })?,
        reads_only: annotations.get("readOnlyHint").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// The schema of arguments, an object for sure.
fn schema(schema: Option<&Value>) -> Result<Value, &'static str> {
    let mut fields = match schema {
        None | Some(Value::Null) => serde_json::Map::new(),
        Some(Value::Object(fields)) => fields.clone(),
        Some(_) => return Err("is no object"),
    };
    match fields.get("type") {
        None => {}
        Some(kind) if kind == "object" => {}
        Some(_) => return Err("is not that of an object"),
    }
    if fields.get("properties").is_some_and(|properties| !properties.is_object()) {
        return Err("has properties that are none");
    }
    let listed =
        |required: &Value| required.as_array().is_some_and(|names| names.iter().all(Value::is_string));
    if fields.get("required").is_some_and(|required| !listed(required)) {
        return Err("requires what is no list of names");
    }
    fields.insert("type".to_owned(), json!("object"));
    fields.entry("properties").or_insert_with(|| json!({}));
    fields.remove("$schema");
    let schema = Value::Object(fields);
    if depth(&schema) > DEEPEST_SCHEMA {
        return Err("is too deep");
    }
    if schema.to_string().len() > LARGEST_SCHEMA {
        return Err("is too large");
    }
    Ok(schema)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn read_prompt(prompt: &Value) -> Option<PromptOffer> {
    let arguments = prompt.get("arguments").and_then(Value::as_array).into_iter().flatten();
    let arguments = arguments.filter_map(|argument| {
        let required = argument.get("required").and_then(Value::as_bool).unwrap_or(false);
        Some(PromptArgument { name: name_of(argument, "name")?.to_owned(), required })
    });
    Some(PromptOffer {
        own_name: name_of(prompt, "name")?.to_owned(),
        description: line_of(prompt),
        arguments: arguments.collect(),
    })
}

fn read_resource(resource: &Value, key: &str) -> Option<ResourceOffer> {
    let uri = name_of(resource, key)?.to_owned();
    let name = text(resource, "title").or_else(|| text(resource, "name")).unwrap_or_default();
    let described = line_of(resource);
    let both = if described.is_empty() || described == name {
        name.to_owned()
    } else {
        format!("{name}: {described}")
    };
    let description = caps::line(&both, LONGEST_LINE).into_owned();
    Some(ResourceOffer { uri, description, is_template: key == "uriTemplate" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_is_none_is_left_out_and_one_without_a_type_is_completed() {
        let check = |schema: Value| super::schema(Some(&schema));
        assert_eq!(check(json!({})), Ok(json!({"type": "object", "properties": {}})));
        assert_eq!(
            check(json!({"$schema": "x", "type": "object", "properties": {"a": {}}, "required": ["a"]})),
            Ok(json!({"type": "object", "properties": {"a": {}}, "required": ["a"]}))
        );
        for wrong in [
            json!("text"),
            json!([1]),
            json!({"type": "array"}),
            json!({"properties": "none"}),
            json!({"required": true}),
            json!({"properties": {"a": {"description": "x".repeat(LARGEST_SCHEMA)}}}),
            (0..40).fold(json!({}), |inner, _| json!({"properties": {"a": inner}})),
        ] {
            assert!(check(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tool_is_read_with_its_title_hint_and_caps() {
        let tool = json!({
            "name": "look", "description": "d".repeat(20_000), "inputSchema": {"type": "object"},
            "annotations": {"title": "Look", "readOnlyHint": true},
        });
        let read = read_tool("s", &tool).unwrap();
        assert_eq!(
            (read.name.as_str(), read.title.as_deref(), read.reads_only),
            ("mcp__s__look", Some("Look"), true)
        );
        assert!(read.description.len() < LONGEST_DESCRIPTION + 100);
        assert!(read_tool("s", &json!({"inputSchema": {}})).is_err());
        assert!(read_tool("s", &json!({"name": "x", "inputSchema": 1})).unwrap_err().contains("`x`"));
    }
}
