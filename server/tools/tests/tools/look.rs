use crate::desk::{Desk, failed, succeeded};
use serde_json::json;

#[tokio::test]
async fn lines_are_numbered_and_the_end_says_how_to_go_on() {
    let desk = Desk::new();
    let text: String = (1..=2100).map(|number| format!("line {number}\r\n")).collect();
    desk.write("a.txt", &text);
    let read = |arguments| desk.call("read", arguments);
    assert_eq!(
        succeeded(read(json!({ "path": "a.txt", "offset": 2, "limit": 2 })).await),
        "2: line 2\n3: line 3\n[showing lines 2-3 of 2100. Use offset=4 to continue reading]"
    );
    assert_eq!(
        succeeded(read(json!({ "path": "a.txt", "offset": "2099" })).await),
        "2099: line 2099\n2100: line 2100"
    );
    let all = succeeded(read(json!({ "path": "a.txt", "limit": 5000 })).await);
    assert!(
        all.ends_with(
            "\n2000: line 2000\n[showing lines 1-2000 of 2100. Use offset=2001 to continue reading]"
        )
    );
    assert_eq!(
        succeeded(read(json!({ "path": "a.txt", "offset": 3000 })).await),
        "[the file has 2100 lines; offset 3000 is past its end]"
    );
}

#[tokio::test]
async fn bytes_are_limited_with_one_footer_that_agrees() {
    let desk = Desk::new();
    desk.write("a.txt", format!("{}\n", "x".repeat(1500)).repeat(100));
    let content = succeeded(desk.call("read", json!({ "path": "a.txt" })).await);
    assert!(
        content.ends_with("\n[showing lines 1-34 of 100. Use offset=35 to continue reading]"),
        "{}",
        &content[51_000..]
    );
    assert_eq!(content.matches("[showing").count(), 1);
    desk.write("long.txt", format!("{}\nb", "ä".repeat(5000)));
    let content = succeeded(desk.call("read", json!({ "path": "long.txt" })).await);
    assert_eq!(content, format!("1: {}… [4,000 more characters]\n2: b", "ä".repeat(1000)));
}

#[tokio::test]
async fn the_open_document_is_read_and_not_the_disk() {
    let desk = Desk::new();
    desk.write("a.txt", "disk\n");
    let uri = desk.open("a.txt", "disk\n");
    assert_eq!(succeeded(desk.call("read", json!({ "path": "a.txt" })).await), "1: disk");
    desk.types(&uri, "typed ä\n");
    assert_eq!(
        succeeded(desk.call("read", json!({ "path": "a.txt" })).await),
        "1: typed ä\n[open in the editor with unsaved changes, which are included]"
    );
    let found = succeeded(desk.call("grep", json!({ "pattern": "typed|disk" })).await);
    assert_eq!(found, "a.txt:1:typed ä");
}

#[tokio::test]
async fn what_cannot_be_read_says_what_to_do() {
    let desk = Desk::new();
    desk.write("folder/main.rs", "");
    desk.write("data.bin", [0, 1, 2]);
    desk.write("image.BMP", b"BM\0\0");
    desk.write("large.png", [&b"\x89PNG\r\n\x1a\n"[..], &vec![0; 6 << 20]].concat());
    desk.write("latin.txt", b"caf\xe9");
    desk.write("empty", "");
    let read = |path: &'static str| desk.call("read", json!({ "path": path }));
    assert_eq!(
        failed(read("folder").await),
        "'folder' is a directory, not a file. Use the ls tool to list it, or grep to search in it."
    );
    assert_eq!(
        failed(read("data.bin").await),
        "'data.bin' is a binary file of 3 bytes; this tool reads text only."
    );
    assert_eq!(
        failed(read("image.BMP").await),
        "'image.BMP' is an image of 4 bytes and no text; of images, `read` shows PNG, JPEG, GIF and WebP."
    );
    assert_eq!(
        failed(read("large.png").await),
        "'large.png' cannot be shown: 6,291,464 bytes are more than the 5,242,880 that can be attached; make it smaller"
    );
    assert_eq!(
        failed(read("latin.txt").await),
        "'latin.txt' is not UTF-8 (byte 3); it is neither read nor changed, so that nothing in it is lost."
    );
    assert_eq!(
        failed(read("folder/mian.rs").await),
        "'folder/mian.rs' does not exist. Did you mean 'folder/main.rs'?"
    );
    assert_eq!(failed(read("nothing/like/this").await), "'nothing/like/this' does not exist.");
    assert_eq!(succeeded(read("empty").await), "[the file is empty]");
    assert_eq!(failed(desk.call("read", json!({})).await), "invalid arguments: missing field `path`");
}

#[tokio::test]
async fn images_and_pdfs_come_back_as_they_are() {
    let desk = Desk::new();
    desk.write("folder/a.dat", b"\x89PNG\r\n\x1a\n\0\0");
    desk.write("b.pdf", b"%PDF-1.7\n");
    desk.write("c.txt", "text");
    let read = async |path: &str| {
        let output = desk.call("read", json!({ "path": path })).await;
        let media = output.media.iter().map(|part| (part.media_type.clone(), part.data.clone()));
        (output.content.clone(), media.collect::<Vec<_>>())
    };
    let medium = |media_type: &str, data: &str| vec![(media_type.to_owned(), data.to_owned())];
    assert_eq!(
        read("folder/a.dat").await,
        (
            "[folder/a.dat, attached 1: image/png, 10 bytes]".to_owned(),
            medium("image/png", "iVBORw0KGgoAAA==")
        )
    );
    assert_eq!(
        read("b.pdf").await,
        (
            "[b.pdf, attached 1: application/pdf, 9 bytes]".to_owned(),
            medium("application/pdf", "JVBERi0xLjcK")
        )
    );
    assert_eq!(read("c.txt").await, ("1: text".to_owned(), vec![]));
    // What is open in the editor is text.
    let uri = desk.open("b.pdf", "%PDF-1.7\n");
    desk.types(&uri, "no PDF any more");
    assert_eq!(read("b.pdf").await.1, vec![]);
}

#[tokio::test]
async fn a_pattern_that_looks_like_an_option_is_a_pattern() {
    let desk = Desk::new();
    desk.write("a.txt", "x --pre=evil\n-v\n");
    assert_eq!(succeeded(desk.call("grep", json!({ "pattern": "--pre=" })).await), "a.txt:1:x --pre=evil");
    assert_eq!(succeeded(desk.call("grep", json!({ "pattern": "-v" })).await), "a.txt:2:-v");
    desk.write("-x.txt", "");
    assert_eq!(succeeded(desk.call("find", json!({ "pattern": "-x*" })).await), "-x.txt");
}

#[tokio::test]
async fn grep_shows_context_and_counts_what_it_cut() {
    let desk = Desk::new();
    desk.write("a.txt", "1\n2\nhit\n4\n5\n6\n7\nhit\n9\n");
    desk.write("b.txt", "hit\n");
    let content = succeeded(
        desk.call("grep", json!({ "pattern": "HIT", "ignore_case": true, "context": 1, "path": "a.txt" }))
            .await,
    );
    assert_eq!(content, "a.txt-2-2\na.txt:3:hit\na.txt-4-4\n--\na.txt-7-7\na.txt:8:hit\na.txt-9-9");
    let content = succeeded(desk.call("grep", json!({ "pattern": "hit", "limit": 1 })).await);
    assert_eq!(
        content,
        "a.txt:3:hit\n[1 of 3 matching lines shown, in 1 of 2 files; narrow the search or raise limit]"
    );
    assert_eq!(
        succeeded(desk.call("grep", json!({ "pattern": "h.t", "literal": true })).await),
        "No matches found."
    );
    let content = failed(desk.call("grep", json!({ "pattern": "(" })).await);
    assert!(content.starts_with("invalid regular expression: "), "{content}");
}

#[tokio::test]
async fn find_matches_paths_and_leaves_out_what_git_ignores() {
    let desk = Desk::new();
    for path in ["src/deep/a.rs", "src/b.rs", "c.rs", "target/d.rs", ".hidden.rs"] {
        desk.write(path, "");
    }
    desk.write(".gitignore", "target/\n");
    assert_eq!(
        succeeded(desk.call("find", json!({ "pattern": "*.rs" })).await),
        ".hidden.rs\nc.rs\nsrc/b.rs\nsrc/deep/a.rs"
    );
    assert_eq!(
        succeeded(desk.call("find", json!({ "pattern": "src/**/*.rs" })).await),
        "src/b.rs\nsrc/deep/a.rs"
    );
    assert_eq!(
        succeeded(desk.call("find", json!({ "pattern": "*.rs", "limit": 1 })).await),
        ".hidden.rs\n[truncated: showing 1 of 4 files; narrow the pattern or raise limit]"
    );
    assert_eq!(succeeded(desk.call("find", json!({ "pattern": "*.go" })).await), "No files found.");
}

#[tokio::test]
async fn ls_lists_a_folder() {
    let desk = Desk::new();
    for path in ["b/x", "A", "c", ".d"] {
        desk.write(path, "");
    }
    std::fs::create_dir(desk.path("empty")).unwrap();
    assert_eq!(succeeded(desk.call("ls", json!({})).await), ".d\nA\nb/\nc\nempty/");
    assert_eq!(succeeded(desk.call("ls", json!({ "path": "empty" })).await), "(empty directory)");
    assert_eq!(
        succeeded(desk.call("ls", json!({ "limit": 2 })).await),
        ".d\nA\n[truncated: showing 2 of 5 entries]"
    );
    assert_eq!(
        failed(desk.call("ls", json!({ "path": "c" })).await),
        "'c' is a file, not a directory. Use the read tool to read it."
    );
    assert_eq!(failed(desk.call("ls", json!({ "path": "bb" })).await), "'bb' does not exist.");
}
