//! Remote MCP servers: npm's everything over streamable HTTP, and one behind npm's oidc-provider that wants a login.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use e2e::{editor_or_skip, launch, permit, run_call};
use kit_testkit::{LanguageClient, ModelServer, Oidc, Project, Reply, eventually};
use serde_json::json;

use crate::mcp::{in_state, tool_names};

/// `everything` over streamable HTTP. It is killed when the value is dropped.
struct Everything(Child);

impl Everything {
    fn start(bin: &Path, port: u16) -> Self {
        let mut command = Command::new(bin.join("everything"));
        command.arg("streamableHttp").env("PORT", port.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the server starts"))
    }

    async fn on(bin: &Path, port: u16) -> Self {
        let started = Self::start(bin, port);
        eventually("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        started
    }
}

impl Drop for Everything {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

async fn echo(client: &LanguageClient, model: &ModelServer) -> (String, bool) {
    let call = Reply::new().call("mcp__remote__echo", json!({ "message": "hello" }));
    let report = run_call(client, model, call).await;
    let (result, failed) = report.tool_result();
    (result.to_owned(), failed)
}

#[tokio::test]
async fn a_remote_server_is_used_and_used_again_after_it_was_gone() {
    let Some(bin) = editor_or_skip("mcp") else { return };
    let (project, model, port) = (Project::new(), ModelServer::start().await, free_port());
    let server = Everything::on(&bin, port).await;
    let remote = json!({ "type": "http", "url": format!("http://127.0.0.1:{port}/mcp") });
    let client = launch(&project, &model).setting("mcpServers", json!({ "remote": remote })).start().await;
    permit(&client, "allowOnce");
    let info = in_state(&client, "remote", "ready").await;
    assert_eq!((&info["transport"], &info["login"]), (&json!("http"), &json!("signedOut")));
    assert_eq!(echo(&client, &model).await, ("Echo: hello".to_owned(), false));
    let long = json!({ "duration": 1, "steps": 2 });
    let call = Reply::new().call("mcp__remote__trigger-long-running-operation", long);
    let report = run_call(&client, &model, call).await;
    assert!(!report.tool_result().1, "{:?}", report.tool_result());
    let shown: String =
        report.all("tool_output").iter().filter_map(|event| event["chunk"].as_str()).collect();
    assert!(shown.contains("1 of 2"), "{shown:?}");
    drop(server);
    let (result, failed) = echo(&client, &model).await;
    assert!(failed && result.contains("the MCP server remote"), "{result}");
    let _server = Everything::on(&bin, port).await;
    client.command("kit.mcp.reconnect", json!({ "name": "remote" })).await.expect("it is tried");
    in_state(&client, "remote", "ready").await;
    assert_eq!(echo(&client, &model).await, ("Echo: hello".to_owned(), false));
    client.close().await;
}

#[tokio::test]
async fn a_server_that_wants_a_login_gets_one_from_the_editor() {
    let Some(program) = editor_or_skip("oidc") else { return };
    let (project, model, oidc) = (Project::new(), ModelServer::start().await, Oidc::start(&program));
    let servers = json!({ "tracker": { "url": oidc.mcp_url() } });
    let client = launch(&project, &model).setting("mcpServers", servers).start().await;
    permit(&client, "allowOnce");
    let info = in_state(&client, "tracker", "needsLogin").await;
    let error = info["error"].as_str().unwrap_or_default();
    assert!(error.contains("`kit-ls mcp login tracker`"), "{error}");
    let begun = client.command("kit.mcp.login", json!({ "name": "tracker" })).await.expect("a login");
    assert_eq!(begun["servers"][0]["login"], "pending");
    let (_, shown) = client.server_request("window/showDocument", 0).await;
    let ended = oidc.browse(shown["uri"].as_str().expect("a page")).await;
    assert!(ended["text"].as_str().is_some_and(|text| text.contains("Kit has the login")), "{ended}");
    let info = in_state(&client, "tracker", "ready").await;
    assert_eq!(tool_names(&info), ["mcp__tracker__whoami"]);
    let whoami = async || {
        let report = run_call(&client, &model, Reply::new().call("mcp__tracker__whoami", json!({}))).await;
        let (result, failed) = report.tool_result();
        (result.to_owned(), failed)
    };
    assert_eq!(whoami().await, ("ada".to_owned(), false));
    let told = client.notification("window/showMessage", |_| true).await;
    assert_eq!(told["message"], "Kit: logged in at tracker");

    let file = project.kit_home().join("config/.kit/mcp_logins.json");
    let text = std::fs::read_to_string(&file).expect("the login is stored");
    let stored: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let token =
        stored[oidc.mcp_url()]["token_response"]["access_token"].as_str().expect("a token").to_owned();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(oidc.forget().await, 1);
    assert_eq!(whoami().await, ("ada".to_owned(), false), "a token that is refused is renewed");
    assert_eq!(oidc.count("refresh_token").await, 1);

    client.command("kit.mcp.logout", json!({ "name": "tracker" })).await.expect("a logout");
    let info = in_state(&client, "tracker", "needsLogin").await;
    assert_eq!((&info["login"], &info["tools"]), (&json!("signedOut"), &json!([])));
    assert!(!file.exists(), "the file goes with the last login");
    client.close().await;
    let logs = Project::tree(&project.kit_home().join("logs"));
    assert!(logs.iter().all(|(_, content)| !String::from_utf8_lossy(content).contains(&token)));
}

#[tokio::test]
async fn a_login_from_the_terminal_holds_for_every_process() {
    let Some(program) = editor_or_skip("oidc") else { return };
    let (project, model, oidc) = (Project::new(), ModelServer::start().await, Oidc::start(&program));
    let servers =
        json!({ "tracker": { "url": oidc.mcp_url() }, "free": { "url": oidc.mcp_url(), "noOAuth": true } });
    let launch = launch(&project, &model).setting("mcpServers", servers);
    let tested = launch.run(&["mcp", "test", "tracker"]).await;
    assert_eq!(tested.code, Some(1));
    assert!(
        tested.stdout.contains("needs a login") && tested.stdout.contains("kit-ls mcp login tracker"),
        "{tested:?}"
    );
    let refused = launch.run(&["mcp", "login", "free"]).await;
    assert!(refused.stderr.contains("free takes no logins"), "{refused:?}");
    let login = launch.begin(&["mcp", "login", "tracker"]);
    let page =
        |told: &str| told.lines().map(str::trim).find(|line| line.starts_with("http")).map(str::to_owned);
    let page = login.prints("page", page).await;
    oidc.browse(&page).await;
    let (code, told) = login.ends().await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("The login at tracker is stored.") && told.contains("✓ tracker"), "{told}");
    let tested = launch.run(&["mcp", "test", "tracker"]).await;
    assert!(tested.code == Some(0) && tested.stdout.contains("logged in"), "{tested:?}");
    let out = launch.run(&["mcp", "logout", "tracker"]).await;
    assert_eq!((out.code, out.stdout.as_str()), (Some(0), "The login at tracker is forgotten here.\n"));
    let out = launch.run(&["mcp", "logout", "tracker"]).await;
    assert_eq!((out.code, out.stdout.as_str()), (Some(0), "There was no stored login at tracker.\n"));
}

#[tokio::test]
async fn a_changed_proxy_counts_from_the_next_connection_on() {
    let Some(bin) = editor_or_skip("mcp") else { return };
    let (project, model, port) = (Project::new(), ModelServer::start().await, free_port());
    // A server that takes whole addresses as its proxy's clients send them is reached as a proxy is.
    let _server = Everything::on(&bin, port).await;
    let settings = |more: &str| {
        let text =
            format!("mcpServers:\n  remote:\n    url: http://mcp.invalid/mcp\n    noOAuth: true\n{more}");
        std::fs::write(project.kit_home().join(".kit.yml"), text).expect("the settings can be written");
    };
    settings("");
    let client = launch(&project, &model).start().await;
    in_state(&client, "remote", "failed").await;
    settings(&format!("proxy: http://127.0.0.1:{port}\n"));
    let reconnected = async {
        loop {
            client.command("kit.mcp.reconnect", json!({ "name": "remote" })).await.expect("it is tried");
            let settled = async {
                loop {
                    let state = crate::mcp::info(&client, "remote").await["state"].clone();
                    if state == "ready" || state == "failed" {
                        return state;
                    }
                    tokio::task::yield_now().await;
                }
            };
            if settled.await == "ready" {
                return;
            }
        }
    };
    tokio::time::timeout(kit_testkit::deadline(), reconnected).await.expect("it is reached by the proxy");
    let info = in_state(&client, "remote", "ready").await;
    assert!(tool_names(&info).contains(&"mcp__remote__echo".to_owned()), "{info}");
    client.close().await;
}
