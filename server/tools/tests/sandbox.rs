//! Commands in the sandbox, with the real kernel. This binary is its own helper, as `kit-ls` is in the product, so it
//! brings its own `main`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and this one reports by itself"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;

use kit_protocol::{AgentRef, Mode, SessionId, Settings, ToolCallId, TurnId};
use kit_tools::sandbox::{self, HELPER_ARGUMENT, Sandbox, SandboxStatus};
use kit_tools::{Policy, Registry, RuleLayer, ToolContext, ToolOutput, ToolSettings, run_call};
use kit_workspace::{Change, ChangeObserver, DiskEditor, DocumentUri, Paths, Root, Workspace};
use tokio_util::sync::CancellationToken;

const TESTS: [(&str, fn()); 6] = [
    (
        "writes_reach_the_workspace_and_temporary_files_only",
        writes_reach_the_workspace_and_temporary_files_only,
    ),
    ("hidden_files_cannot_be_read_by_any_name", hidden_files_cannot_be_read_by_any_name),
    ("everything_else_can_be_read_and_run", everything_else_can_be_read_and_run),
    ("what_a_command_starts_is_confined_too", what_a_command_starts_is_confined_too),
    ("a_program_that_does_not_exist_is_an_error", a_program_that_does_not_exist_is_an_error),
    ("commands_run_confined_and_unasked_in_auto_mode", commands_run_confined_and_unasked_in_auto_mode),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|first| first == HELPER_ARGUMENT).is_some() {
        eprintln!("{}", sandbox::run_helper(arguments));
        return ExitCode::from(126);
    }
    let arguments: Vec<String> = arguments.filter_map(|argument| argument.into_string().ok()).collect();
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let selected = TESTS.iter().filter(|(name, _)| match filter {
        Some(filter) if exact => name == filter,
        Some(filter) => name.contains(filter.as_str()),
        None => true,
    });
    if arguments.iter().any(|argument| argument == "--list") {
        let ignored = arguments.iter().any(|argument| argument == "--ignored");
        selected.filter(|_| !ignored).for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if let SandboxStatus::Unavailable(why) = sandbox::status() {
        println!("NOT RUN: the sandbox is not available here: {why}");
        return ExitCode::SUCCESS;
    }
    for (name, test) in selected {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

struct Fixture {
    _directory: tempfile::TempDir,
    top: PathBuf,
    sandbox: Sandbox,
}

/// `work` may be written, `home/config` is hidden, and all of it lies outside of the folder for temporary files.
fn fixture() -> Fixture {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = tempfile::tempdir_in(target).unwrap();
    let top = directory.path().canonicalize().unwrap();
    for folder in ["work", "outside", "home/config"] {
        std::fs::create_dir_all(top.join(folder)).unwrap();
    }
    std::fs::write(top.join("outside/file"), "outside").unwrap();
    std::fs::write(top.join("home/notes"), "notes").unwrap();
    std::fs::write(top.join("home/config/credentials.json"), "planted-secret").unwrap();
    let sandbox = Sandbox {
        helper: std::env::current_exe().unwrap(),
        writable: Vec::new(),
        hidden: vec![top.join("home/config")],
    };
    Fixture { _directory: directory, top, sandbox }
}

impl Fixture {
    fn run(&self, line: &str) -> Output {
        self.run_program("/bin/sh", vec!["-c".into(), line.into()])
    }

    fn run_program(&self, program: &str, arguments: Vec<OsString>) -> Output {
        let roots = [self.top.join("work")];
        assert_eq!(sandbox::obstacle(&self.sandbox, &roots), None);
        let confined = sandbox::command(&self.sandbox, &roots, Path::new(program), arguments);
        Command::new(confined.program)
            .args(confined.arguments)
            .current_dir(self.top.join("work"))
            .env("TOP", &self.top)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn fails(&self, line: &str) {
        let output = self.run(line);
        assert!(!output.status.success(), "{line}: {output:?}");
        let shown =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(shown.contains("ermission denied"), "{line}: {shown}");
        assert!(!shown.contains("planted-secret"), "{line}: {shown}");
    }

    #[track_caller]
    fn succeeds(&self, line: &str, stdout: &str) {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "{line}");
    }
}

fn writes_reach_the_workspace_and_temporary_files_only() {
    let fixture = fixture();
    fixture.succeeds("mkdir -p a/b && echo x > a/b/c && mv a/b/c d && cat d && rm d", "x\n");
    fixture.succeeds("f=$(mktemp) && echo y > $f && cat $f && rm $f && echo z > /dev/null", "y\n");
    fixture.fails("echo x > $TOP/outside/new");
    fixture.fails("echo x >> $TOP/outside/file");
    fixture.fails(": > $TOP/outside/file");
    fixture.fails("rm $TOP/outside/file");
    fixture.fails("mkdir $TOP/outside/folder");
    fixture.fails("ln -s $TOP/outside link && echo x > link/new");
    assert_eq!(std::fs::read_to_string(fixture.top.join("outside/file")).unwrap(), "outside");
    assert_eq!(std::fs::read_dir(fixture.top.join("outside")).unwrap().count(), 1);
}

fn hidden_files_cannot_be_read_by_any_name() {
    let fixture = fixture();
    let secret = fixture.top.join("home/config");
    for link in ["work/link", "home/link"] {
        assert!(
            Command::new("ln").arg("-s").arg(&secret).arg(fixture.top.join(link)).status().unwrap().success()
        );
    }
    fixture.fails("cat $TOP/home/config/credentials.json");
    fixture.fails("cat link/credentials.json");
    fixture.fails("cat $TOP/home/link/credentials.json");
    fixture.fails("cd $TOP/home/config && cat credentials.json");
    fixture.fails("cat /proc/self/root$TOP/home/config/credentials.json");
    fixture.fails("echo x > $TOP/home/config/credentials.json");
}

fn everything_else_can_be_read_and_run() {
    let fixture = fixture();
    fixture.succeeds("cat $TOP/outside/file $TOP/home/notes", "outsidenotes");
    fixture.succeeds("ls $TOP/home", "config\nnotes\n");
    fixture.succeeds("env true && ls / > /dev/null && echo ok", "ok\n");
}

fn what_a_command_starts_is_confined_too() {
    let fixture = fixture();
    fixture.fails("sh -c 'sh -c \"echo x > $TOP/outside/new\"'");
    fixture.fails("(setsid sh -c 'cat $TOP/home/config/credentials.json') 2>&1 | grep ermission && exit 1");
    let parent = std::process::id();
    let output = fixture.run(&format!("kill -0 {parent}"));
    let scoped = !output.status.success();
    // Kernels before 6.12 cannot keep signals inside; there it is not promised.
    assert!(scoped || kernel() < (6, 12), "{output:?}");
}

fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map(|part| part.trim().parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn a_program_that_does_not_exist_is_an_error() {
    let output = fixture().run_program("/no/such/program", Vec::new());
    assert_eq!(output.status.code(), Some(126));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("/no/such/program: "), "{output:?}");
}

struct Silent;

impl ChangeObserver for Silent {
    fn changed(&self, _change: Change) {}
    fn opened(&self, _uri: &DocumentUri, _text: &kit_text::Text, _version: i32) {}
    fn closed(&self, _uri: &DocumentUri) {}
}

fn commands_run_confined_and_unasked_in_auto_mode() {
    let fixture = fixture();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let call = |allow: &[&str], command: &str| -> ToolOutput {
        let root = fixture.top.join("work");
        let workspace =
            Workspace::new(vec![Root::new(&root)], Arc::default(), Arc::new(DiskEditor), Arc::new(Silent));
        let mut layer = RuleLayer::default();
        layer.rules.allow = allow.iter().map(|rule| (*rule).to_owned()).collect();
        let context = ToolContext {
            workspace: Arc::new(workspace),
            cwd: root,
            session: SessionId::new("s"),
            worker: SessionId::new("s"),
            turn: TurnId::new("t"),
            call: ToolCallId::new("c"),
            agent: AgentRef::main(),
            output: Arc::new(|_, _| {}),
            cancel: CancellationToken::new(),
            policy: Arc::new(Policy::new(&Paths::below(&fixture.top.join("home")), &[layer])),
            mode: Mode::Auto,
            settings: Arc::new(ToolSettings::new(&Settings::default(), Some(fixture.sandbox.clone()))),
            gate: None,
        };
        let bash = Registry::builtin().get("bash").unwrap();
        let arguments = serde_json::json!({ "command": command }).to_string();
        runtime.block_on(run_call(bash, arguments, context, Box::new(|| ())))
    };
    let command = format!("echo inside > a && cat a; echo x > {}/outside/new", fixture.top.display());
    let confined = call(&[], &command);
    assert!(confined.content.starts_with("inside\nSTDERR:\n"), "{}", confined.content);
    assert!(confined.content.contains("[the command ran in a sandbox: "), "{}", confined.content);
    assert!(confined.is_error && !fixture.top.join("outside/new").exists());
    let allowed = call(&["Bash"], &command);
    assert_eq!((allowed.content.as_str(), allowed.is_error), ("inside", false));
    assert!(fixture.top.join("outside/new").exists());
}
