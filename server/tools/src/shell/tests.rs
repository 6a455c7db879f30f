use super::{Doubt, parse};

/// The commands found, each as its words; `~` marks a word that is computed, `>` a redirection, `=` an assignment.
fn commands(text: &str) -> Vec<String> {
    let script = parse(text);
    script
        .commands
        .iter()
        .map(|command| {
            let words = command.words.iter().map(|word| {
                let mark = if word.literal { "" } else { "~" };
                format!("{mark}{}", word.text)
            });
            let assignments = command.assignments.iter().map(|assignment| format!("={assignment}"));
            let redirections = command.redirections.iter().map(|redirection| format!(">{redirection}"));
            assignments.chain(words).chain(redirections).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[track_caller]
fn plain(text: &str, expected: &[&str]) {
    assert_eq!(commands(text), expected, "{text}");
    assert_eq!(parse(text).doubts, [], "{text}");
}

#[track_caller]
fn doubtful(text: &str, expected: &[&str], doubt: Doubt) {
    assert_eq!(commands(text), expected, "{text}");
    let doubts = parse(text).doubts;
    assert!(doubts.contains(&doubt), "{text}: {doubts:?}");
}

#[test]
fn one_command_is_its_words() {
    plain("cargo test --lib", &["cargo test --lib"]);
    plain("  ls\t-la  ", &["ls -la"]);
    plain("", &[]);
    plain("git commit -m 'a b' \"c d\" e\\ f", &["git commit -m a b c d e f"]);
    plain("l's' \"-\"l", &["ls -l"]);
    plain("\\rm x", &["rm x"]);
    plain("echo a#b 'x # y'", &["echo a#b x # y"]);
    plain("printf '%s\\n' \"a\\$b\"", &["printf %s\\n a$b"]);
    plain("cargo test \\\n  --lib \\\n", &["cargo test --lib"]);
    plain("[ -f x ]", &["[ -f x ]"]);
    plain("echo 'a;b' \"c && d\" e\\;f", &["echo a;b c && d e;f"]);
}

#[test]
fn every_separator_ends_a_command() {
    for separator in [";", "&&", "||", "|", "|&", "&", "\n", " ;\n", ";;"] {
        plain(&format!("cargo test{separator}rm -rf /"), &["cargo test", "rm -rf /"]);
    }
    plain("(cd x; rm y)", &["cd x", "rm y"]);
    plain("a; (b | c) && d", &["a", "b", "c", "d"]);
    plain("sleep 1 &", &["sleep 1"]);
}

#[test]
fn computed_words_are_marked() {
    plain("echo $HOME \"${A}x\" *.rs a? [ab] {a,b}", &["echo ~$HOME ~${A}x ~*.rs ~a? ~[ab] ~{a,b}"]);
    plain("echo $? $1 $# a$ \"$\"", &["echo ~$? ~$1 ~$# a$ $"]);
    plain("echo '$HOME' \\$HOME", &["echo $HOME $HOME"]);
}

#[test]
fn a_computed_name_is_a_doubt() {
    doubtful("$CMD x", &["~$CMD x"], Doubt::ComputedName);
    doubtful("r? x", &["~r? x"], Doubt::ComputedName);
    doubtful("{rm,-rf,x}", &["~{rm,-rf,x}"], Doubt::ComputedName);
    doubtful("\"\" x", &[" x"], Doubt::ComputedName);
}

#[test]
fn substitutions_are_commands_too() {
    plain("echo $(rm x)", &["rm x", "echo ~$(…)"]);
    plain("echo \"a $(rm \"b c\") d\"", &["rm b c", "echo ~a $(…) d"]);
    plain("echo `rm x`", &["rm x", "echo ~`…`"]);
    plain("echo \"`rm \\`cat y\\``\"", &["cat y", "rm ~`…`", "echo ~`…`"]);
    plain("echo $(a $(b \")\" | c))", &["b )", "c", "a ~$(…)", "echo ~$(…)"]);
    plain("diff <(rm a) >(tee b)", &["rm a", "tee b", "diff ~<(…) ~<(…)"]);
    plain("X=$(rm y) ls", &["rm y", "=X=$(rm y) ls"]);
    plain("ls > $(rm y)", &["rm y", "ls >>$(rm y)"]);
    doubtful("$(rm x)", &["rm x", "~$(…)"], Doubt::ComputedName);
}

#[test]
fn assignments_and_redirections_are_kept() {
    plain("A=1 B+=2 cargo test", &["=A=1 =B+=2 cargo test"]);
    plain("PATH=/evil", &["=PATH=/evil"]);
    plain("'A'=1 rm", &["A=1 rm"]);
    plain("cargo test --env=A=1", &["cargo test --env=A=1"]);
    plain("ls > out", &["ls >>out"]);
    plain("ls >>out 2>err <in", &["ls >>>out >2>err ><in"]);
    plain("ls &>out", &["ls >&>out"]);
    plain("ls >& out", &["ls >>&out"]);
    plain("ls >| out <> x", &["ls >>|out ><>x"]);
    plain(">out", &[">>out"]);
    plain("ls 2>&1 >/dev/null 2>&- &>/dev/null < /dev/null", &["ls"]);
    plain("ls > /dev/nullx", &["ls >>/dev/nullx"]);
    plain("ls >", &["ls >>"]);
    plain("echo 2 > x", &["echo 2 >>x"]);
}

#[test]
fn what_is_not_followed_is_a_doubt() {
    doubtful("cat <<EOF\nrm x\nEOF", &["cat ><<EOF", "rm x", "EOF"], Doubt::HereDocument);
    doubtful("cat <<< x", &["cat ><<<x"], Doubt::HereDocument);
    doubtful("echo # rm x\nls", &["echo", "ls"], Doubt::Comment);
    doubtful("echo $((1+1))", &["1+1", "echo ~$(…)"], Doubt::Arithmetic);
    doubtful("((i++))", &["i++"], Doubt::Arithmetic);
    doubtful("echo $'\\x72m'", &["echo ~\\x72m"], Doubt::Quote("$'".to_owned()));
    doubtful("echo $\"x\"", &["echo x"], Doubt::Quote("$\"".to_owned()));
    doubtful("echo ${x:-$(rm y)}", &["rm y", "echo ~${x:-$(…)}"], Doubt::Expansion("${x…".to_owned()));
    doubtful("echo ${x@P}", &["echo ~${x@P}"], Doubt::Expansion("${x…".to_owned()));
    doubtful("echo 'x", &["echo x"], Doubt::Unterminated);
    doubtful("echo \"x", &["echo x"], Doubt::Unterminated);
    doubtful("echo $(rm x", &["rm x", "echo ~$(…)"], Doubt::Unterminated);
    doubtful("car\\\ngo test", &["cargo test"], Doubt::Continuation);
    doubtful("$\\\nX rm", &["$X rm"], Doubt::Continuation);
    doubtful("A\\\n=1 rm", &["A=1 rm"], Doubt::Continuation);
    doubtful("echo \"a\\\nb\"", &["echo ab"], Doubt::Continuation);
    doubtful("ls &\\\n& rm", &["ls", "rm"], Doubt::Continuation);
    doubtful("f() { rm x; }", &["f", "rm x", "}"], Doubt::Brackets);
    doubtful("a=(x y)", &["=a=", "x y"], Doubt::Brackets);
    doubtful("ls\rrm x", &["ls\rrm x"], Doubt::ControlCharacter);
    doubtful("ls \u{85} x", &["ls \u{85} x"], Doubt::ControlCharacter);
    doubtful("$[1+1]", &["~$[1+1]"], Doubt::Arithmetic);
}

#[test]
fn shell_words_are_doubts_and_their_commands_are_found() {
    for (text, word) in [
        ("if true; then rm x; fi", "then"),
        ("while true; do rm x; done", "do"),
        ("for i in a b; do rm x; done", "for"),
        ("{ rm x; }", "{"),
        ("! rm x", "!"),
        ("case a in b) rm x;; esac", "case"),
    ] {
        let script = parse(text);
        assert!(script.doubts.contains(&Doubt::Keyword(word.to_owned())), "{text}: {:?}", script.doubts);
        assert!(commands(text).iter().any(|command| command == "rm x"), "{text}: {:?}", commands(text));
    }
    plain("echo if then do", &["echo if then do"]);
    plain("'if' x", &["if x"]);
}

#[test]
fn wrappers_give_away_what_they_run() {
    plain("sudo rm x", &["sudo rm x", "rm x"]);
    plain("env rm x", &["env rm x", "rm x"]);
    plain("xargs rm", &["xargs rm", "rm"]);
    plain("timeout 5 cargo test", &["timeout 5 cargo test", "cargo test"]);
    plain("nohup nice cargo test", &["nohup nice cargo test", "nice cargo test", "cargo test"]);
    plain("bash -c 'rm x; ls'", &["bash -c rm x; ls", "rm x", "ls"]);
    plain("/bin/sh -c \"bash -c 'rm x'\"", &["/bin/sh -c bash -c 'rm x'", "bash -c rm x", "rm x"]);
    plain("find . -name x -exec rm {} \\;", &["find . -name x -exec rm ~{} ;", "rm ~{}"]);
    plain("time rm x", &["rm x"]);
    plain("find . -name '*.rs'", &["find . -name *.rs"]);
    let transparent: Vec<bool> =
        parse("timeout 5 sudo ls").commands.iter().map(|command| command.transparent).collect();
    assert_eq!(transparent, [true, false, false]);
}

#[test]
fn wrappers_that_hide_what_they_run_are_doubts() {
    for (text, program) in [
        ("sudo -u root rm x", "sudo"),
        ("env A=1 rm x", "env"),
        ("env -i rm x", "env"),
        ("xargs -I{} rm {}", "xargs"),
        ("timeout -k 1 5 rm x", "timeout"),
        ("bash script.sh", "bash"),
        ("bash", "bash"),
        ("bash -c \"$X\"", "bash"),
        ("bash -xc 'rm x'", "bash"),
        ("eval rm x", "eval"),
        ("source x", "source"),
        (". x", "."),
        ("trap 'rm x' EXIT", "trap"),
        ("find . -delete", "find"),
        ("find . -exec rm {} + -exec ls {} +", "find"),
        ("fd -x rm", "fd"),
        ("command -v rm", "command"),
        ("sudo", "sudo"),
    ] {
        let doubts = parse(text).doubts;
        let expected = Doubt::Wrapper(program.to_owned());
        let bare = text == program && program == "sudo";
        assert_eq!(doubts.contains(&expected), !bare, "{text}: {doubts:?}");
    }
}

#[test]
fn nesting_and_length_have_limits() {
    let deep = "$(".repeat(40) + "rm x" + &")".repeat(40);
    assert!(parse(&format!("echo {deep}")).doubts.contains(&Doubt::TooDeep));
    let deep = "nohup ".repeat(40) + "rm x";
    assert!(parse(&deep).doubts.contains(&Doubt::TooDeep));
    assert!(parse(&"a ".repeat(20_000)).doubts.contains(&Doubt::TooLong));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_failing(text in "[ a-z$(){}\"'`\\\\;|&<>#*=!\n-]{0,60}") {
        let script = parse(&text);
        proptest::prop_assert!(script.commands.len() <= 200);
    }

    #[test]
    fn a_command_behind_a_separator_is_found_or_doubted(
        before in "[ a-z$(){}\"'`\\\\;|&<>#*=!\n-]{0,40}",
        separator in proptest::sample::select(vec![";", "&&", "||", "|", "&", "\n"]),
    ) {
        let script = parse(&format!("{before}{separator}zap me"));
        let found = script.commands.iter().any(|command| command.program() == Some("zap"));
        proptest::prop_assert!(found || !script.doubts.is_empty() || before.contains(['"', '\'', '\\', '>', '<', '=']),
            "{:?}", script);
    }
}

/// Runs random lines in a real bash in which `zap` is the only program: it must not run it more often than it was found.
#[cfg(unix)]
#[test]
fn whatever_bash_runs_is_found_or_doubted() {
    use proptest::strategy::Strategy;
    use proptest::test_runner::{Config, TestCaseError, TestRunner};
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    let directory = tempfile::tempdir().unwrap();
    let programs = directory.path().join("programs");
    let marks = directory.path().join("marks");
    let work = directory.path().join("work");
    for folder in [&programs, &marks, &work] {
        std::fs::create_dir(folder).unwrap();
    }
    let zap = programs.join("zap");
    std::fs::write(&zap, "#!/bin/sh\n: > \"$MARKS\"/$$\n").unwrap();
    std::fs::set_permissions(&zap, std::fs::Permissions::from_mode(0o755)).unwrap();
    let pieces = vec![
        "zap",
        "zap",
        "zap ",
        "za",
        "p",
        "a",
        "echo ",
        "eval ",
        "x=",
        "1",
        " ",
        " ",
        ";",
        "&",
        "&&",
        "|",
        "\n",
        "'",
        "'",
        "\"",
        "\"",
        "\\",
        "\\\n",
        "$",
        "$(",
        "(",
        ")",
        "{ ",
        "}",
        "`",
        "`",
        "#",
        "<",
        ">",
        "<<",
        "<<<",
        "=",
        "!",
        "[",
        "*",
        "-",
        "${x:-",
        "$'",
        "if ",
        "then ",
        "fi",
        "case a in a) ",
        "esac",
        "\t",
    ];
    let line =
        proptest::collection::vec(proptest::sample::select(pieces), 1..14).prop_map(|pieces| pieces.concat());
    let lines = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let ran = |line: &str| -> std::io::Result<usize> {
        // Each line has its own folder: what one leaves running in the background must not count for the next.
        lines.set(lines.get() + 1);
        let marks = marks.join(lines.get().to_string());
        std::fs::create_dir(&marks).unwrap();
        Command::new("/bin/bash")
            .args(["-c", line])
            .env_clear()
            .env("PATH", &programs)
            .env("MARKS", &marks)
            .env("FUNCNEST", "3")
            .current_dir(&work)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()?;
        Ok(std::fs::read_dir(&marks)?.count())
    };
    assert_eq!(ran("zap; zap a").unwrap(), 2, "what runs leaves its marks");
    let outcome = runner.run(&line, |line| {
        let ran = ran(&line).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let script = parse(&line);
        let found = script.commands.iter().filter(|command| command.program() == Some("zap")).count();
        proptest::prop_assert!(ran <= found || !script.doubts.is_empty(), "{ran}: {script:?}");
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
