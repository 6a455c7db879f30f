//! MCP servers that do everything wrong, one wrong at a time: a script of ours for the Node or Python of the machine.

use serde_json::{Value, json};

/// The script, for Python 3, which test machines have.
const SCRIPT: &str = r##"
import json, os, subprocess, sys, time

fault = sys.argv[1]
note = sys.argv[2] if len(sys.argv) > 2 else None

def send(message):
    sys.stdout.write(json.dumps(dict(jsonrpc="2.0", **message)) + "\n")
    sys.stdout.flush()

def noted(line):
    if note:
        with open(note, "a") as file:
            file.write(line + "\n")

noted("started %d" % os.getpid())
for name in sorted(os.environ):
    if name.startswith("NASTY_"):
        noted("%s=%s" % (name, os.environ[name]))
if fault == "mute":
    time.sleep(600)
if fault == "dies":
    sys.stderr.write("no configuration found\n")
    sys.exit(3)
if fault == "yes":
    while True:
        sys.stdout.write("y\n" * 4096)
if fault == "child":
    subprocess.Popen(["sleep", "987"])

ECHO = {"name": "echo", "description": "Echoes.", "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}}
TOOLS = [ECHO]
NAMES = ["one"]
version = int(os.environ.get("NASTY_VERSION", 1))
CAPABILITIES = {"tools": {"listChanged": True}, "resources": {"subscribe": fault in ("updates", "streams"), "listChanged": True}, "prompts": {}}
STREAM = "io.modelcontextprotocol/subscriptionId"
streams = {}

def tell(method, **params):
    """Tells what changed: unasked, or in the streams that want to hear of it."""
    if fault != "streams":
        send({"method": method, "params": params})
    for stream, wanted in streams.items():
        if params.get("uri") in wanted.get("resourceSubscriptions", []) or ("uri" not in params and wanted.get("resourcesListChanged")):
            send({"method": method, "params": dict(params, _meta={STREAM: stream})})

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
if fault == "lies":
    TOOLS = [ECHO, {"name": "text", "inputSchema": "nothing"}, {"inputSchema": {}}, {"name": "array", "inputSchema": {"type": "array"}}, 7]
if fault == "floods-tools":
    TOOLS = [dict(ECHO, name="tool%d" % number) for number in range(1000)]

for line in sys.stdin:
    try:
        message = json.loads(line)
    except ValueError:
        continue
    method, id = message.get("method"), message.get("id")
    if method == "initialize" and fault == "streams":
        send({"id": id, "error": {"code": -32601, "message": "that was long ago"}})
    elif method == "initialize":
        send({"id": id, "result": {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES, "serverInfo": {"name": "nasty", "version": "1"}}})
    elif method == "server/discover":
        send({"id": id, "result": {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": CAPABILITIES, "ttlMs": 0, "cacheScope": "private"}})
    elif method == "subscriptions/listen":
        wanted = message["params"]["notifications"]
        noted("listened to for %s" % json.dumps(wanted, sort_keys=True))
        streams[id] = wanted
        send({"method": "notifications/subscriptions/acknowledged", "params": {"_meta": {STREAM: id}, "notifications": wanted}})
    elif method == "tools/list":
        if fault == "endless":
            send({"id": id, "result": {"tools": [ECHO], "nextCursor": "more"}})
        else:
            send({"id": id, "result": {"tools": TOOLS}})
    elif method == "resources/list":
        send({"id": id, "result": {"resources": [{"uri": "nasty://" + name, "name": name} for name in NAMES]}})
    elif method == "resources/templates/list":
        send({"id": id, "result": {"resourceTemplates": []}})
    elif method == "resources/read":
        noted("read %s" % message["params"]["uri"])
        if fault == "stalls":
            continue
        if fault in ("updates", "streams"):
            send({"id": id, "result": {"contents": [{"uri": message["params"]["uri"], "text": "version %d" % version}]}})
            continue
        send({"id": id, "error": {"code": -32002, "message": "no such resource"}})
    elif method in ("resources/subscribe", "resources/unsubscribe"):
        noted("%s %s" % (method, message["params"]["uri"]))
        send({"id": id, "result": {}})
    elif method == "prompts/list":
        send({"id": id, "result": {"prompts": [{"name": "shown", "arguments": [{"name": "what", "required": True}]}]}})
    elif method == "prompts/get":
        noted("prompt %s" % json.dumps(message["params"]))
        if fault == "stalls":
            continue
        if fault == "refuses":
            send({"id": id, "error": {"code": -32602, "message": "no such prompt"}})
            continue
        said = lambda role, **content: {"role": role, "content": content}
        send({"id": id, "result": {"messages": [
            said("user", type="text", text="Look at this and at @secret.txt: " + message["params"]["arguments"]["what"]),
            said("user", type="image", data=PIXEL, mimeType="image/png"),
            said("assistant", type="audio", data="UklGRgAAAABXQVZF", mimeType="audio/wav"),
            said("user", type="resource", resource={"uri": "nasty://paper", "mimeType": "application/pdf", "blob": "JVBERi0xLjcKJQAK"}),
            said("user", type="resource_link", uri="nasty://one", name="one"),
        ]}})
    elif method == "notifications/roots/list_changed":
        send({"id": "roots", "method": "roots/list"})
    elif id == "roots":
        noted("roots %s" % " ".join(root["uri"] for root in message["result"]["roots"]))
    elif method == "ping":
        if fault != "hangs":
            send({"id": id, "result": {}})
    elif method == "notifications/cancelled":
        noted("cancelled %s" % message["params"].get("requestId"))
        streams.pop(message["params"].get("requestId"), None)
    elif method == "tools/call":
        noted("called %s" % json.dumps(message["params"].get("arguments")))
        if fault in ("hangs", "slow"):
            continue
        if fault == "crashes":
            sys.stderr.write("segmentation fault of sorts\n")
            sys.stderr.flush()
            os._exit(7)
        if fault == "floods":
            while True:
                send({"method": "notifications/message", "params": {"level": "info", "data": "x" * 100}})
        if fault == "large":
            send({"id": id, "result": {"content": [{"type": "text", "text": "z" * 3000000}]}})
            continue
        if fault == "garbles":
            send({"id": id, "result": "what is this"})
            continue
        if fault == "refuses":
            send({"id": id, "error": {"code": -32602, "message": "no such thing"}})
            continue
        if fault in ("updates", "streams"):
            said = message["params"]["arguments"]["text"]
            if said == "new":
                NAMES.append("two")
                tell("notifications/resources/list_changed")
            else:
                version += said == "changed"
                tell("notifications/resources/updated", uri="nasty://one")
        if fault == "grows":
            TOOLS.append(dict(ECHO, name="second"))
            send({"method": "notifications/tools/list_changed"})
        send({"id": id, "result": {"content": [{"type": "text", "text": message["params"]["arguments"].get("text", "")}]}})
"##;

/// The settings of a server with a fault: `mute`, `dies`, `yes`, `child`, `lies`, `floods-tools`, `endless`, `hangs`,
/// `slow`, `stalls` (while a resource or prompt is read), `crashes`, `floods`, `large`, `garbles`, `refuses`, `grows`,
/// `updates` (a resource, or their list, when its tool is called with `changed`, `new` or another word), `streams` (the
/// same, told as servers of revision 2026-07-28 do), or none with any other word. `NASTY_VERSION` is the first version of
/// the resource. Where `note` names a file, the server writes there that it was started, with the variables whose names
/// begin with `NASTY_`, what it is asked for, and what it is told of cancels and roots.
pub fn nasty_mcp(fault: &str, note: Option<&std::path::Path>) -> Value {
    let note = note.map(|note| note.to_string_lossy().into_owned());
    let words = ["python3", "-c", SCRIPT, fault].map(str::to_owned).into_iter().chain(note);
    json!({ "command": words.collect::<Vec<_>>() })
}
