//! Searching a real tree.

use std::fs;

use kit_workspace::search::{
    FileMatches, FindQuery, GrepQuery, GrepResult, MatchLine, SearchError, find, grep, list,
};
use kit_workspace::{ContentChange, WorkspaceError};
use tokio_util::sync::CancellationToken;

use crate::editor::Project;

fn tree() -> Project {
    let project = Project::new(&[
        (".gitignore", "target/\n*.log\n"),
        (".github/ci.yml", "needle in yml\n"),
        (".git/config", "needle in git\n"),
        ("Cargo.toml", "needle = 1\n"),
        ("out.log", "needle in log\n"),
        ("src/deep/b.rs", "nothing\n"),
        ("src/deep/er/c.rs", "fn needle() {}\nNEEDLE\n"),
        ("src/lib.rs", "// a\n// needle\n// b\n"),
        ("target/debug/x.rs", "needle in target\n"),
        ("--version", "an -e option? needle\n"),
    ]);
    fs::write(project.top.join("binary.bin"), b"needle\0needle\n").unwrap();
    project
}

async fn run_grep(project: &Project, path: &str, query: GrepQuery) -> Result<GrepResult, SearchError> {
    grep(&project.workspace, &project.location(path), query, &CancellationToken::new()).await
}

/// `path:number:text` for matches and `path-number-text` for context.
fn lines(result: &GrepResult) -> Vec<String> {
    let show = |file: &FileMatches, line: &MatchLine| {
        let mark = if line.matches { ':' } else { '-' };
        format!("{}{mark}{}{mark}{}", file.display, line.number, line.text)
    };
    result.files.iter().flat_map(|file| file.lines.iter().map(move |line| show(file, line))).collect()
}

async fn check(project: &Project, path: &str, query: GrepQuery, expected: &[&str]) {
    let result = run_grep(project, path, query.clone()).await.unwrap();
    assert_eq!(lines(&result), expected, "{query:?}");
}

#[tokio::test]
async fn grep_searches_what_is_neither_hidden_nor_ignored_in_the_order_of_paths() {
    let project = tree();
    let result = run_grep(&project, ".", GrepQuery::new("needle")).await.unwrap();
    assert_eq!(
        lines(&result),
        [
            "--version:1:an -e option? needle",
            "Cargo.toml:1:needle = 1",
            "src/deep/er/c.rs:1:fn needle() {}",
            "src/lib.rs:2:// needle",
        ]
    );
    let counts =
        (result.total_matches, result.total_files, result.shown_matches, result.binary, result.unreadable);
    assert_eq!(counts, (4, 4, 4, 1, 0));
}

#[tokio::test]
async fn grep_takes_patterns_globs_and_paths_as_they_are_written() {
    let project = tree();
    let query = GrepQuery::new;
    let literal = |pattern| GrepQuery { literal: true, ..query(pattern) };
    let with_glob = |glob: &str| GrepQuery { glob: Some(glob.to_owned()), ..query("needle") };
    check(&project, ".", query("-e option"), &["--version:1:an -e option? needle"]).await;
    check(&project, ".", literal("needle()"), &["src/deep/er/c.rs:1:fn needle() {}"]).await;
    check(&project, ".", literal("--pre=x"), &[]).await;
    check(&project, ".", query(r"^fn \w+\(\)"), &["src/deep/er/c.rs:1:fn needle() {}"]).await;
    check(
        &project,
        ".",
        with_glob("src/**/*.rs"),
        &["src/deep/er/c.rs:1:fn needle() {}", "src/lib.rs:2:// needle"],
    )
    .await;
    check(&project, ".", with_glob("*.toml"), &["Cargo.toml:1:needle = 1"]).await;
    check(&project, "src", with_glob("deep/**"), &["src/deep/er/c.rs:1:fn needle() {}"]).await;
    check(&project, ".", with_glob(".github/*"), &[".github/ci.yml:1:needle in yml"]).await;
    check(&project, "src/lib.rs", query("needle"), &["src/lib.rs:2:// needle"]).await;
    check(&project, "out.log", query("needle"), &["out.log:1:needle in log"]).await;
    check(&project, "target", query("needle"), &["target/debug/x.rs:1:needle in target"]).await;
    let ignore_case = GrepQuery { ignore_case: true, ..query("^needle$") };
    check(&project, ".", ignore_case, &["src/deep/er/c.rs:2:NEEDLE"]).await;
    let spanning = query(r"needle\(\) \{\}\n[A-Z]+");
    check(&project, ".", spanning, &["src/deep/er/c.rs:1:fn needle() {}", "src/deep/er/c.rs:2:NEEDLE"]).await;
}

#[tokio::test]
async fn grep_ends_lines_at_crlf_and_reads_other_encodings_with_a_mark() {
    let project = Project::new(&[("crlf.txt", "x end\r\ny\r\n"), ("bom.txt", "\u{feff}first end\n")]);
    let wide: Vec<u8> = "\u{feff}wide end\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(project.top.join("wide.txt"), wide).unwrap();
    fs::write(project.top.join("latin.txt"), b"caf\xe9 end\n").unwrap();
    check(
        &project,
        ".",
        GrepQuery::new(" end$"),
        &["bom.txt:1:first end", "crlf.txt:1:x end", "latin.txt:1:caf\u{fffd} end", "wide.txt:1:wide end"],
    )
    .await;
}

#[tokio::test]
async fn grep_shows_context_once() {
    let project = Project::new(&[("a.txt", "1\n2 x\n3\n4 x\n5\n6\n7\n")]);
    let query = GrepQuery { context: 1, ..GrepQuery::new("x") };
    check(
        &project,
        ".",
        query.clone(),
        &["a.txt-1-1", "a.txt:2:2 x", "a.txt-3-3", "a.txt:4:4 x", "a.txt-5-5"],
    )
    .await;
    let first = GrepQuery { limit: 1, ..query };
    check(&project, ".", first, &["a.txt-1-1", "a.txt:2:2 x", "a.txt-3-3"]).await;
}

#[tokio::test]
async fn the_first_matches_are_shown_and_the_rest_is_counted() {
    let names: Vec<String> = (0..50).map(|index| format!("{index:02}.txt")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x 1\nx 2\nx 3\n")).collect();
    let project = Project::new(&files);
    for limit in [0, 1, 3, 4, 149, 150, 151] {
        let query = GrepQuery { limit, ..GrepQuery::new("x") };
        let result = run_grep(&project, ".", query).await.unwrap();
        let expected: Vec<String> = names
            .iter()
            .flat_map(|name| (1..=3).map(move |number| format!("{name}:{number}:x {number}")))
            .take(limit)
            .collect();
        assert_eq!(lines(&result), expected);
        assert_eq!((result.total_matches, result.total_files), (150, 50));
        assert_eq!(result.shown_matches, expected.len());
    }
}

#[tokio::test]
async fn long_lines_are_cut_between_characters() {
    let line = format!("x{}", "é".repeat(600));
    let project = Project::new(&[("a.txt", &line)]);
    let result = run_grep(&project, ".", GrepQuery::new("x")).await.unwrap();
    let text = format!("x{}", "é".repeat(499));
    assert_eq!(result.files[0].lines, [MatchLine { number: 1, text, cut: 101, matches: true }]);
}

#[tokio::test]
async fn the_text_of_open_documents_wins() {
    let project = Project::new(&[("a.txt", "on disk\n"), ("b.log", "x"), (".gitignore", "*.log\n")]);
    let uri = project.open("a.txt", "on disk\n");
    let change = ContentChange { range: None, text: "in the editor\n".to_owned() };
    project.documents.change(&uri, 2, &[change], kit_text::Encoding::Utf16).unwrap();
    project.open("b.log", "in the editor, but ignored");
    project.open("new.txt", "in the editor alone");
    let untitled = project.open_opaque("untitled:one", "in the editor without a file");
    check(&project, ".", GrepQuery::new("disk"), &[]).await;
    let found = ["a.txt:1:in the editor", "new.txt:1:in the editor alone"];
    check(&project, ".", GrepQuery::new("editor"), &found).await;
    check(&project, "new.txt", GrepQuery::new("editor"), &found[1..]).await;
    let without_file = ["untitled:one:1:in the editor without a file"];
    check(&project, untitled.as_str(), GrepQuery::new("editor"), &without_file).await;
}

#[tokio::test]
async fn a_search_that_cannot_be_is_an_error() {
    let project = tree();
    let error = run_grep(&project, ".", GrepQuery::new("(")).await.unwrap_err();
    assert!(error.to_string().starts_with("invalid regular expression: "), "{error}");
    let glob = GrepQuery { glob: Some("[".to_owned()), ..GrepQuery::new("x") };
    assert!(matches!(run_grep(&project, ".", glob).await, Err(SearchError::Glob { .. })));
    let path = project.top.join("missing");
    let missing = SearchError::Workspace(WorkspaceError::NotFound { path });
    assert_eq!(run_grep(&project, "missing", GrepQuery::new("x")).await, Err(missing));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let query = GrepQuery::new("x");
    let result = grep(&project.workspace, &project.location("."), query, &cancel).await;
    assert_eq!(result, Err(SearchError::Cancelled));
}

async fn run_find(project: &Project, path: &str, pattern: &str) -> Vec<String> {
    let token = CancellationToken::new();
    let found =
        find(&project.workspace, &project.location(path), FindQuery::new(pattern), &token).await.unwrap();
    assert_eq!(found.total, found.paths.len());
    found.paths
}

#[tokio::test]
async fn find_matches_paths_or_names_and_sees_hidden_files() {
    let project = tree();
    assert_eq!(
        run_find(&project, ".", "src/**/*.rs").await,
        ["src/deep/b.rs", "src/deep/er/c.rs", "src/lib.rs"]
    );
    assert_eq!(run_find(&project, ".", "*.rs").await, ["src/deep/b.rs", "src/deep/er/c.rs", "src/lib.rs"]);
    assert_eq!(run_find(&project, "src", "deep/*.rs").await, ["src/deep/b.rs"]);
    assert_eq!(run_find(&project, ".", "*.yml").await, [".github/ci.yml"]);
    assert_eq!(run_find(&project, ".", "config").await, Vec::<String>::new());
    assert_eq!(run_find(&project, ".", "-*").await, ["--version"]);
    assert_eq!(run_find(&project, ".", "*.log").await, Vec::<String>::new());
}

#[tokio::test]
async fn find_shows_the_first_paths_and_counts_the_rest() {
    let project = tree();
    let query = FindQuery { pattern: "**/*".to_owned(), limit: 3 };
    let token = CancellationToken::new();
    let found = find(&project.workspace, &project.location("."), query, &token).await.unwrap();
    assert_eq!(
        (found.paths, found.total),
        (["--version", ".github/ci.yml", ".gitignore"].map(str::to_owned).to_vec(), 8)
    );
    let file = project.location("Cargo.toml");
    let error = find(&project.workspace, &file, FindQuery::new("*"), &token).await.unwrap_err();
    assert_eq!(error, SearchError::Workspace(WorkspaceError::NotADirectory { path: file.path }));
}

#[tokio::test]
async fn list_sorts_without_case_and_marks_directories() {
    let project = Project::new(&[("b", ""), ("A", ""), (".hidden", ""), ("C/x", ""), ("a-b/x", "")]);
    let token = CancellationToken::new();
    let listed = list(&project.location("."), 500, &token).await.unwrap();
    assert_eq!(
        (listed.entries, listed.total),
        ([".hidden", "A", "a-b/", "b", "C/"].map(str::to_owned).to_vec(), 5)
    );
    let two = list(&project.location("."), 2, &token).await.unwrap();
    assert_eq!((two.entries, two.total), ([".hidden", "A"].map(str::to_owned).to_vec(), 5));
    let file = project.location("b");
    let error = list(&file, 500, &token).await.unwrap_err();
    assert_eq!(error, SearchError::Workspace(WorkspaceError::NotADirectory { path: file.path }));
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed_by_searches_and_marked_in_lists() {
    let project = Project::new(&[("real/a.txt", "x\n")]);
    std::os::unix::fs::symlink("real", project.top.join("link")).unwrap();
    std::os::unix::fs::symlink("..", project.top.join("real/up")).unwrap();
    check(&project, ".", GrepQuery::new("x"), &["real/a.txt:1:x"]).await;
    check(&project, "link", GrepQuery::new("x"), &["link/a.txt:1:x"]).await;
    let listed = list(&project.location("."), 500, &CancellationToken::new()).await.unwrap();
    assert_eq!(listed.entries, ["link/", "real/"]);
}
