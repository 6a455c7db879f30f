use super::*;
use kit_protocol::PermissionRules;
use kit_workspace::{DiskEditor, DocumentUri, Documents, Workspace};

struct Silent;

impl kit_workspace::ChangeObserver for Silent {
    fn changed(&self, _change: kit_workspace::Change) {}
    fn opened(&self, _uri: &DocumentUri, _text: &kit_text::Text, _version: i32) {}
    fn closed(&self, _uri: &DocumentUri) {}
}

struct Fixture {
    directory: tempfile::TempDir,
    workspace: Workspace,
    policy: Policy,
    session: SessionId,
}

/// A workspace `work` with a link `work/out` to `outside`, and a home in `home`.
fn fixture(deny: &[&str], ask: &[&str], allow: &[&str]) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let top = directory.path().canonicalize().unwrap();
    for folder in ["work/src", "outside", "home/notes", "config"] {
        std::fs::create_dir_all(top.join(folder)).unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(top.join("outside"), top.join("work/out")).unwrap();
    let workspace = Workspace::new(
        vec![Root::new(top.join("work"))],
        Arc::new(Documents::default()),
        Arc::new(DiskEditor),
        Arc::new(Silent),
    );
    let policy = Policy::with_home(&paths(&top), top.join("home"), &[layer(deny, ask, allow)]);
    Fixture { directory, workspace, policy, session: SessionId::new("s1") }
}

fn paths(top: &Path) -> Paths {
    Paths { config: top.join("config"), ..Paths::below(&top.join("home")) }
}

fn layer(deny: &[&str], ask: &[&str], allow: &[&str]) -> RuleLayer {
    let owned = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect();
    let rules = PermissionRules { deny: owned(deny), ask: owned(ask), allow: owned(allow) };
    RuleLayer { origin: "settings".to_owned(), project: None, rules }
}

impl Fixture {
    fn top(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    fn decide(
        &self,
        mode: Mode,
        tool: &str,
        kind: ToolKind,
        access: &Access,
        unconfined: Option<&str>,
    ) -> Decision {
        self.policy.decide(&Call {
            session: &self.session,
            worker: &self.session,
            mode,
            root: &self.top().join("work"),
            roots: &self.workspace.roots(),
            tool,
            kind,
            access,
            unconfined,
        })
    }

    fn location(&self, path: &str) -> Location {
        let path = path
            .strip_prefix('@')
            .map_or(path.to_owned(), |path| self.top().join(path).display().to_string());
        self.workspace.resolve(&self.top().join("work"), &path).unwrap()
    }

    fn edit(&self, mode: Mode, path: &str) -> Decision {
        let access = Access::Edit { locations: vec![self.location(path)] };
        self.decide(mode, "edit", ToolKind::Edit, &access, None)
    }

    fn read(&self, mode: Mode, path: &str) -> Decision {
        let access = Access::Read { locations: vec![self.location(path)] };
        self.decide(mode, "read", ToolKind::Read, &access, None)
    }

    fn run(&self, mode: Mode, command: &str) -> Decision {
        self.run_with(mode, command, Some("test"))
    }

    fn run_with(&self, mode: Mode, command: &str, unconfined: Option<&str>) -> Decision {
        let access = Access::Execute { command: command.to_owned(), cwd: self.top().join("work") };
        self.decide(mode, "bash", ToolKind::Execute, &access, unconfined)
    }
}

fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow { confined: false, .. } => "allow",
        Decision::Allow { confined: true, .. } => "confined",
        Decision::Ask { .. } => "ask",
        Decision::Deny { .. } => "deny",
    }
}

fn why(decision: Decision) -> String {
    match decision {
        Decision::Allow { why, .. } | Decision::Ask { why, .. } | Decision::Deny { why } => why,
    }
}

const MODES: [Mode; 4] = [Mode::Plan, Mode::Ask, Mode::Edit, Mode::Auto];

#[test]
fn modes_decide_what_no_rule_decides() {
    let fixture = fixture(&[], &[], &[]);
    let check = |what: &str, decide: &dyn Fn(Mode) -> Decision, expected: [&str; 4]| {
        assert_eq!(MODES.map(|mode| word(&decide(mode))), expected, "{what}");
    };
    check("read inside", &|mode| fixture.read(mode, "src/a.rs"), ["allow"; 4]);
    check("read outside", &|mode| fixture.read(mode, "@outside/a"), ["ask"; 4]);
    check("read through a link", &|mode| fixture.read(mode, "out/a"), ["ask"; 4]);
    check("edit inside", &|mode| fixture.edit(mode, "src/a.rs"), ["deny", "ask", "allow", "allow"]);
    check("edit a new file", &|mode| fixture.edit(mode, "new/deep/a.rs"), ["deny", "ask", "allow", "allow"]);
    check("edit outside", &|mode| fixture.edit(mode, "@outside/a"), ["deny", "ask", "ask", "ask"]);
    check("edit by ..", &|mode| fixture.edit(mode, "src/../../outside/a"), ["deny", "ask", "ask", "ask"]);
    check("edit through a link", &|mode| fixture.edit(mode, "out/new"), ["deny", "ask", "ask", "ask"]);
    check("edit hooks", &|mode| fixture.edit(mode, ".git/hooks/pre-commit"), ["deny", "ask", "ask", "ask"]);
    check("edit settings", &|mode| fixture.edit(mode, ".kit.yml"), ["deny", "ask", "ask", "ask"]);
    check("edit home", &|mode| fixture.edit(mode, "~/.bashrc"), ["deny", "ask", "ask", "ask"]);
    check("run", &|mode| fixture.run(mode, "make"), ["deny", "ask", "ask", "ask"]);
    check("run confined", &|mode| fixture.run_with(mode, "make", None), ["deny", "ask", "ask", "confined"]);
    check("look", &|mode| fixture.run(mode, "git status"), ["deny", "ask", "ask", "allow"]);
    let other = Access::Other { subject: "x".to_owned() };
    check("other", &|mode| fixture.decide(mode, "x", ToolKind::Other, &other, None), ["ask"; 4]);
    check("agent", &|mode| fixture.decide(mode, "a", ToolKind::Agent, &Access::Free, None), ["allow"; 4]);
    check("credentials", &|mode| fixture.read(mode, "@config/credentials.json"), ["deny"; 4]);
}

#[test]
fn guarded_files_ask_whatever_the_rules_allow() {
    let fixture = fixture(&[], &[], &["Edit", "Edit(.git/**)", "Edit(/**)", "Bash"]);
    for path in [
        ".git/config",
        "sub/.GIT/hooks/x",
        ".kit.yml",
        ".kit/x",
        ".vscode/tasks.json",
        ".envrc",
        "@config/permissions.json",
    ] {
        assert_eq!(word(&fixture.edit(Mode::Auto, path)), "ask", "{path}");
    }
    assert_eq!(word(&fixture.edit(Mode::Ask, ".gitignore")), "allow");
    assert_eq!(word(&fixture.edit(Mode::Ask, "@outside/x")), "allow");
}

#[cfg(unix)]
#[test]
fn a_link_to_a_guarded_file_is_guarded() {
    let fixture = fixture(&[], &[], &[]);
    let work = fixture.top().join("work");
    std::fs::create_dir_all(work.join(".git/hooks")).unwrap();
    std::os::unix::fs::symlink(work.join(".git/hooks"), work.join("innocent")).unwrap();
    assert_eq!(word(&fixture.edit(Mode::Auto, "innocent/pre-commit")), "ask");
    std::os::unix::fs::symlink(fixture.top().join("config/credentials.json"), work.join("c")).unwrap();
    assert_eq!(word(&fixture.read(Mode::Auto, "c")), "deny");
}

#[test]
fn deny_beats_ask_and_ask_beats_allow() {
    let fixture = fixture(
        &["Edit(src/secret/**)", "Bash(git push:*)"],
        &["Edit(src/careful.rs)", "Bash(cargo publish:*)"],
        &["Edit(**)", "Bash(git:*)", "Bash(cargo:*)"],
    );
    let edits = ["src/secret/a", "src/careful.rs", "src/other.rs"].map(|path| fixture.edit(Mode::Ask, path));
    assert_eq!(edits.each_ref().map(word), ["deny", "ask", "allow"]);
    let runs = ["git push origin", "cargo publish", "git log", "cargo test"]
        .map(|line| fixture.run(Mode::Ask, line));
    assert_eq!(runs.each_ref().map(word), ["deny", "ask", "allow", "allow"]);
    let [denied, asked, allowed] = edits.map(why);
    assert_eq!(denied, "denied by `Edit(src/secret/**)` (settings)");
    assert_eq!(asked, "`Edit(src/careful.rs)` (settings) asks");
    assert_eq!(allowed, "allowed by `Edit(**)` (settings)");
}

#[test]
fn path_rules_reach_what_they_name() {
    let check = |rule: &str, allowed: &[&str], not: &[&str]| {
        let fixture = fixture(&[], &[], &[rule]);
        for path in allowed {
            assert_eq!(word(&fixture.edit(Mode::Ask, path)), "allow", "{rule}: {path}");
        }
        for path in not {
            assert_eq!(word(&fixture.edit(Mode::Ask, path)), "ask", "{rule}: {path}");
        }
    };
    check("Edit(src/**)", &["src/a.rs", "src/deep/a.rs"], &["a.rs", "other/src/a.rs", "@outside/src/a"]);
    check("edit(src)", &["src/a.rs", "src"], &["srcs/a"]);
    check("Edit(*.md)", &["a.md"], &["src/a.md", "@outside/a.md", "out/a.md"]);
    check("Edit(**/*.md)", &["a.md", "src/a.md"], &["a.rs", "@outside/a.md", "out/a.md"]);
    check("Edit(~/notes/**)", &["@home/notes/a"], &["@home/a", "a"]);
    check("Edit(./src/)", &["src/a"], &["b"]);
    check("Edit(Src/**)", &[], &["src/a"]);
    check("Edit", &["a", "src/b"], &["@outside/a", "out/a"]);
    check("*", &["a"], &["@outside/a"]);
    check("Read(src/**)", &[], &["src/a"]);
    check("write(src/**)", &[], &["src/a"]);
    let outside = fixture(&[], &[], &[]);
    let rule = format!("Edit({}/**)", outside.top().join("outside").display());
    outside.policy.set_layers(&[layer(&[], &[], &[&rule])]);
    assert_eq!(
        ["@outside/a", "out/a", "a"].map(|path| word(&outside.edit(Mode::Ask, path))),
        ["allow", "allow", "ask"]
    );
}

#[test]
fn rules_that_deny_are_read_widely() {
    let fixture = fixture(&["Edit(**/.env)", "Read(SECRETS/**)", "Edit(out)"], &[], &[]);
    for path in [".env", "sub/.ENV", "@outside/.env"] {
        assert_eq!(word(&fixture.edit(Mode::Auto, path)), "deny", "{path}");
    }
    assert_eq!(word(&fixture.read(Mode::Auto, "secrets/a")), "deny");
    let search = Access::Search { locations: vec![fixture.location("secrets")] };
    assert_eq!(word(&fixture.decide(Mode::Auto, "grep", ToolKind::Search, &search, None)), "deny");
}

#[test]
fn searches_hide_what_must_not_be_read() {
    let fixture = fixture(&["Read(secrets/**)"], &[], &[]);
    let access = Access::Search { locations: vec![fixture.location(".")] };
    let roots = fixture.workspace.roots();
    let root = fixture.top().join("work");
    let call = Call {
        session: &fixture.session,
        worker: &fixture.session,
        mode: Mode::Auto,
        root: &root,
        roots: &roots,
        tool: "grep",
        kind: ToolKind::Search,
        access: &access,
        unconfined: None,
    };
    let hidden = fixture.policy.hidden(&call);
    assert_eq!(["secrets/a", "src/a"].map(|path| hidden.holds(&fixture.location(path))), [true, false]);
}

#[test]
fn every_command_of_a_line_must_be_allowed() {
    let fixture = fixture(
        &[],
        &[],
        &["Bash(cargo test:*)", "Bash(cargo fmt)", "Bash(ls *)", "Bash(npm run * --silent)"],
    );
    let allowed = [
        "cargo test",
        "cargo test --lib -- a b",
        "cargo test $NAME",
        "  cargo   test  ",
        "cargo 'test'",
        "cargo fmt",
        "ls",
        "ls -la src",
        "cargo test && ls",
        "cargo test | ls; cargo fmt\nls",
        "cargo test 2>&1",
        "cargo test > /dev/null",
        "cd src && cargo test",
        "timeout 60 cargo test",
        "bash -c 'cargo test && ls'",
        "npm run build --silent",
        "ls $(ls)",
    ];
    for line in allowed {
        assert_eq!(word(&fixture.run(Mode::Edit, line)), "allow", "{line}");
    }
    let asked = [
        "cargo",
        "cargo build",
        "cargo testing",
        "cargo fmt --all",
        "cargo +nightly test",
        "CARGO test",
        "./cargo test",
        "/tmp/cargo test",
        "cargo $X",
        "cargo t*",
        "$CARGO test",
        "cargo test && rm -rf ~",
        "cargo test; rm x",
        "cargo test & rm x",
        "cargo test | sh",
        "cargo test || rm x",
        "cargo test\nrm x",
        "cargo test $(rm x)",
        "cargo test `rm x`",
        "cargo test \"$(rm x)\"",
        "cargo test <(rm x)",
        "cargo test > Cargo.toml",
        "cargo test >> ~/.bashrc",
        "cargo test < /etc/passwd",
        "cargo test &> out",
        "cargo test <<EOF\nx\nEOF",
        "RUSTC_WRAPPER=/tmp/evil cargo test",
        "PATH=/tmp; cargo test",
        "export PATH=/tmp; cargo test",
        "env cargo test",
        "sudo cargo test",
        "xargs cargo test",
        "nohup rm x",
        "bash -c 'rm x'",
        "bash -c \"$X\"",
        "eval 'cargo test'",
        "find . -exec cargo test \\;",
        "if true; then cargo test; fi",
        "cargo() { rm x; }; cargo test",
        "cargo test # comment\nrm x",
        "cargo test ${X:-$(rm x)}",
        "cargo test $'\\n'rm",
        "cargo test 'unterminated",
        "cd / && cargo test",
        "cd .. && cargo test",
        "cd ~ && cargo test",
        "cd - && cargo test",
        "cd $X && cargo test",
        "cd src",
        "cargo test\r\nrm x",
        "npm run a b --silent",
        "npm run --silent",
    ];
    for line in asked {
        assert_eq!(word(&fixture.run(Mode::Edit, line)), "ask", "{line}");
    }
}

#[test]
fn a_denied_command_is_found_wherever_it_stands() {
    let fixture = fixture(&["Bash(rm:*)", "Bash(git push)"], &[], &["Bash"]);
    let denied = [
        "rm x",
        "/bin/rm x",
        "\\rm x",
        "r'm' x",
        "ls; rm x",
        "ls && (rm x)",
        "echo $(rm x)",
        "echo \"`rm x`\"",
        "sudo rm x",
        "sudo -u root rm x",
        "env A=1 rm x",
        "xargs -n1 rm",
        "find . -exec rm {} +",
        "bash -c 'rm x'",
        "if true; then rm x; fi",
        "for f in *; do rm $f; done",
        "A=1 rm x",
        "rm > out",
        "git push --force",
        "git -C sub push",
        "nohup timeout 5 rm x",
    ];
    for line in denied {
        assert_eq!(word(&fixture.run(Mode::Auto, line)), "deny", "{line}");
    }
    let unclear = ["$X x", "git $SUB", "bash script.sh", "eval $X", "cat <<EOF\nEOF", "r? x"];
    for line in unclear {
        assert_eq!(word(&fixture.run_with(Mode::Auto, line, None)), "ask", "{line}");
    }
    for line in ["ls", "echo rm", "git log", "git pull origin main"] {
        assert_eq!(word(&fixture.run(Mode::Auto, line)), "allow", "{line}");
    }
}

#[test]
fn a_line_that_was_allowed_as_it_is_runs_as_it_is_only() {
    let line = "cat *.log | grep -v '^#' > out.txt && X=1 ./run.sh";
    let fixture = fixture(&[], &[], &[&format!("Bash(={line})"), "Bash(make x && make y)"]);
    assert_eq!(word(&fixture.run(Mode::Edit, line)), "allow");
    assert_eq!(word(&fixture.run(Mode::Edit, &format!("{line} -x"))), "ask");
    assert_eq!(fixture.policy.set_layers(&[layer(&[], &[], &["Bash(make x && make y)"])]).len(), 1);
}

#[test]
fn only_looking_is_harmless() {
    let fixture = fixture(&[], &[], &[]);
    for line in [
        "ls -la src",
        "pwd",
        "git status",
        "git log --oneline -5",
        "git diff HEAD~1 | git status",
        "git show HEAD:a.rs",
    ] {
        let expected = if line.contains('~') { "ask" } else { "allow" };
        assert_eq!(word(&fixture.run(Mode::Auto, line)), expected, "{line}");
        assert_eq!(word(&fixture.run(Mode::Edit, line)), "ask", "{line}");
    }
    for line in [
        "ls /",
        "ls ..",
        "ls ~",
        "ls $HOME",
        "cat a",
        "git diff --output=x",
        "git diff --no-index a b",
        "git -c a=b log",
        "git branch -D x",
        "git log > x",
        "find . -delete",
        "A=1 ls",
        "git diff --ext-diff",
        "date; rm x",
        "git show --output /x",
    ] {
        assert_eq!(word(&fixture.run(Mode::Auto, line)), "ask", "{line}");
    }
}

#[test]
fn a_confined_command_that_names_a_guarded_file_asks() {
    let fixture = fixture(&[], &[], &[]);
    for line in [
        "echo x > .git/hooks/pre-commit",
        "cp a .kit.yml",
        "python -c \"open('.envrc','w')\"",
        "A=.git ls",
        "cat .GIT/config",
    ] {
        assert_eq!(word(&fixture.run_with(Mode::Auto, line, None)), "ask", "{line}");
    }
    assert_eq!(word(&fixture.run_with(Mode::Auto, "git commit -m x && cat .gitignore", None)), "confined");
}

#[test]
fn questions_offer_rules_that_answer_them() {
    let fixture = fixture(&[], &[], &[]);
    let rules = |decision: Decision| match decision {
        Decision::Ask { suggestions, .. } => {
            suggestions.into_iter().map(|one| (one.scope, one.rule)).collect::<Vec<_>>()
        }
        Decision::Allow { .. } | Decision::Deny { .. } => panic!("{decision:?} is no question"),
    };
    let command = |line: &str| rules(fixture.run(Mode::Edit, line)).first().map(|(_, rule)| rule.clone());
    let check = |line: &str, expected: Option<&str>| assert_eq!(command(line).as_deref(), expected, "{line}");
    check("cargo test --lib", Some("Bash(cargo test:*)"));
    check("npm run build -- --x", Some("Bash(npm run build:*)"));
    check("go run main.go", Some("Bash(go run:*)"));
    check("pytest -x", Some("Bash(pytest:*)"));
    check("rm -rf target", Some("Bash(=rm -rf target)"));
    check("python x.py", Some("Bash(=python x.py)"));
    check("docker run x", Some("Bash(=docker run x)"));
    check("git -C x push", Some("Bash(=git -C x push)"));
    check("./run.sh x", Some("Bash(=./run.sh x)"));
    check("cargo test && ls *", Some("Bash(=cargo test && ls *)"));
    check("cargo test > out", Some("Bash(=cargo test > out)"));
    check("a\nb", None);
    check(&"x ".repeat(200), Some("Bash(x:*)"));
    check(&format!("rm {}", "x ".repeat(200)), None);

    use PermissionScope::{Project, Session, User};
    let owned = |rules: &[(PermissionScope, &str)]| {
        rules.iter().map(|(scope, rule)| (*scope, (*rule).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(
        rules(fixture.edit(Mode::Ask, "src/a.rs")),
        owned(&[(Session, "Edit(**)"), (Project, "Edit(src/**)")])
    );
    assert_eq!(
        rules(fixture.edit(Mode::Ask, "a[1].rs")),
        owned(&[(Session, "Edit(**)"), (Project, "Edit(a[[]1[]].rs)")])
    );
    let outside = format!("Read({}/**)", fixture.top().join("outside").display());
    assert_eq!(
        rules(fixture.read(Mode::Auto, "@outside/x")),
        owned(&[(Session, &outside), (Project, &outside), (User, &outside)])
    );
    assert_eq!(rules(fixture.edit(Mode::Auto, ".git/config")), []);
}

#[test]
fn each_offered_rule_answers_its_question_for_good() {
    let lines =
        ["cargo test --lib", "rm -rf target", "ls *", "a && b > c", "echo '(x)'", "x=1 y", "echo a:*"];
    for line in lines {
        let fixture = fixture(&[], &[], &[]);
        let Decision::Ask { suggestions, .. } = fixture.run(Mode::Edit, line) else { panic!("{line}") };
        let rule = &suggestions[0].rule;
        let root = fixture.top().join("work");
        fixture
            .policy
            .remember(&fixture.session, &root, PermissionScope::Session, Effect::Allow, rule)
            .unwrap();
        assert_eq!(word(&fixture.run(Mode::Edit, line)), "allow", "{line}: {rule}");
        assert_eq!(word(&fixture.run(Mode::Edit, "rm -rf /")), "ask", "{line}: {rule}");
    }
}

#[test]
fn an_answer_for_the_session_holds_in_no_other() {
    let mut fixture = fixture(&[], &[], &[]);
    let root = fixture.top().join("work");
    fixture
        .policy
        .remember(&fixture.session, &root, PermissionScope::Session, Effect::Allow, "Bash(make:*)")
        .unwrap();
    assert_eq!(word(&fixture.run(Mode::Edit, "make x")), "allow");
    assert!(!fixture.policy.file().exists());
    fixture.session = SessionId::new("s2");
    assert_eq!(word(&fixture.run(Mode::Edit, "make x")), "ask");
    fixture.session = SessionId::new("s1");
    fixture.policy.end_session(&fixture.session);
    assert_eq!(word(&fixture.run(Mode::Edit, "make x")), "ask");
}

#[test]
fn answers_for_good_survive_a_restart_and_stay_out_of_the_project() {
    let fixture = fixture(&[], &[], &[]);
    let root = fixture.top().join("work");
    let remember =
        |scope, effect, rule| fixture.policy.remember(&fixture.session, &root, scope, effect, rule).unwrap();
    remember(PermissionScope::Project, Effect::Allow, "Bash(make:*)");
    remember(PermissionScope::Project, Effect::Allow, "Bash(make:*)");
    remember(PermissionScope::Project, Effect::Deny, "Bash(make clean:*)");
    remember(PermissionScope::User, Effect::Allow, "Bash(git log:*)");
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(fixture.policy.file()).unwrap()).unwrap();
    let expected = serde_json::json!({
        "version": 1,
        "user": { "allow": ["Bash(git log:*)"] },
        "projects": { root.to_str().unwrap(): { "deny": ["Bash(make clean:*)"], "allow": ["Bash(make:*)"] } },
    });
    assert_eq!(written, expected);
    let names: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "src" || name == "out"), "{names:?}");

    let again = Policy::with_home(&paths(&fixture.top()), fixture.top().join("home"), &[]);
    let restarted = Fixture { policy: again, ..fixture };
    assert_eq!(
        ["make x", "make clean", "git log"].map(|line| word(&restarted.run(Mode::Edit, line))),
        ["allow", "deny", "allow"]
    );
    let file = restarted.policy.file().display().to_string();
    assert_eq!(
        restarted.policy.rules(&restarted.session, &root),
        [
            (file.clone(), "deny", "Bash(make clean:*)".to_owned()),
            (file.clone(), "allow", "Bash(git log:*)".to_owned()),
            (file, "allow", "Bash(make:*)".to_owned()),
        ]
    );
    let elsewhere = restarted.policy.rules(&restarted.session, &restarted.top().join("outside"));
    assert_eq!(elsewhere.iter().map(|(_, _, rule)| rule.as_str()).collect::<Vec<_>>(), ["Bash(git log:*)"]);
}

#[test]
fn a_rule_that_is_taken_out_of_the_file_no_longer_holds() {
    let fixture = fixture(&[], &[], &[]);
    let root = fixture.top().join("work");
    fixture
        .policy
        .remember(&fixture.session, &root, PermissionScope::User, Effect::Allow, "Bash(make:*)")
        .unwrap();
    assert_eq!(word(&fixture.run(Mode::Edit, "make")), "allow");
    std::fs::write(fixture.policy.file(), "{}").unwrap();
    assert_eq!(word(&fixture.run(Mode::Edit, "make")), "ask");
}

#[test]
fn a_damaged_file_allows_nothing_and_is_not_written() {
    let fixture = fixture(&[], &[], &[]);
    let root = fixture.top().join("work");
    for content in ["{ torn", r#"{"version":99,"user":{"allow":["Bash"]}}"#] {
        std::fs::write(fixture.policy.file(), content).unwrap();
        assert_eq!(word(&fixture.run(Mode::Edit, "make")), "ask");
        assert_eq!(word(&fixture.edit(Mode::Edit, "a.rs")), "ask");
        let remembered = fixture.policy.remember(
            &fixture.session,
            &root,
            PermissionScope::User,
            Effect::Allow,
            "Bash(make:*)",
        );
        assert!(remembered.is_err());
        assert_eq!(std::fs::read_to_string(fixture.policy.file()).unwrap(), content);
    }
}

#[test]
fn a_rule_remembered_for_one_project_says_nothing_about_another_folder() {
    let fixture = fixture(&[], &[], &[]);
    let (work, other) = (fixture.top().join("work"), fixture.top().join("outside"));
    fixture.workspace.set_roots(vec![Root::new(&work), Root::new(&other)]);
    fixture
        .policy
        .remember(&fixture.session, &work, PermissionScope::Project, Effect::Allow, "Edit(src/**)")
        .unwrap();
    assert_eq!(
        ["src/a", "@outside/src/a"].map(|path| word(&fixture.edit(Mode::Ask, path))),
        ["allow", "ask"]
    );
}

#[test]
fn rules_that_cannot_be_read_are_told_and_fail_to_the_safe_side() {
    let wrong = ["Bash(rm", "Bash(a && b)", "Edit(src/[)", "(x)", "mcp__x(y)"];
    let fixture = fixture(&[], &[], &[]);
    let problems = fixture.policy.set_layers(&[layer(&wrong, &[], &wrong)]);
    assert_eq!(problems.len(), 2 * wrong.len());
    assert_eq!(problems[0].to_string(), "rule `Bash(rm` in settings: write it as Tool or Tool(pattern)");
    assert_eq!(word(&fixture.run_with(Mode::Auto, "ls", None)), "ask");
    assert_eq!(word(&fixture.edit(Mode::Auto, "a.rs")), "ask");
    assert_eq!(word(&fixture.read(Mode::Auto, "a.rs")), "allow");
}

#[test]
fn rules_may_name_other_tools_with_stars() {
    let fixture = fixture(&["mcp__bad__*"], &[], &["MCP__good__*"]);
    let other = Access::Other { subject: "x".to_owned() };
    let decide = |tool| word(&fixture.decide(Mode::Edit, tool, ToolKind::Other, &other, None));
    assert_eq!(["mcp__good__x", "mcp__bad__x", "mcp__new__x"].map(decide), ["allow", "deny", "ask"]);
    let free = |tool| word(&fixture.decide(Mode::Edit, tool, ToolKind::Other, &Access::Free, None));
    assert_eq!(["mcp__bad__x", "todo"].map(free), ["deny", "allow"]);
}
