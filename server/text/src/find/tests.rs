use super::*;

fn request(old: &str, new: &str) -> Replacement {
    Replacement { old: old.into(), new: new.into() }
}

fn locate_all(text: &str, requests: &[(&str, &str)]) -> Result<Located, MatchError> {
    let requests: Vec<_> = requests.iter().map(|(old, new)| request(old, new)).collect();
    locate(&Text::from(text), &requests)
}

fn check(text: &str, requests: &[(&str, &str)], expected: &str) {
    let located = locate_all(text, requests).unwrap();
    assert_eq!(located.new_text, expected);
    assert_eq!(located.edits.result(), expected);
}

#[test]
fn line_feed_matches_every_line_end_and_added_lines_take_the_neighbors() {
    check("a\r\nb\r\nc\r\n", &[("a\nb\n", "a\nx\nb\n")], "a\r\nx\r\nb\r\nc\r\n");
    check("a\r\nb\nc\r\n", &[("a\nb\nc", "a\nB\nx\nc")], "a\r\nB\nx\nc\r\n");
    check("a\nb\r\n", &[("b", "b\nc")], "a\nb\r\nc\r\n");
    check("a\r\nb", &[("b", "b\nc")], "a\r\nb\r\nc");
    check("a\rb\r", &[("a\nb\n", "b\na\n")], "b\ra\r");
    check("a\nb\n", &[("a\r\nb", "a\r\nc")], "a\nc\n");
}

#[test]
fn a_single_line_without_end_takes_line_feeds() {
    check("only", &[("only", "one\ntwo")], "one\ntwo");
}

#[test]
fn requests_mean_the_original_text() {
    check("one two three", &[("three", "one"), ("one", "three")], "three two one");
    check("abc", &[("a", "x"), ("b", "y")], "xyc");
}

#[test]
fn text_at_both_ends_of_a_line_is_kept() {
    check("  let x = 1; // note\n", &[("let x = 1;", "let x = 2;")], "  let x = 2; // note\n");
}

#[test]
fn edits_are_smaller_than_what_was_quoted() {
    let located =
        locate_all("fn a() {\n    one();\n}\n", &[("fn a() {\n    one();\n}", "fn a() {\n    two();\n}")])
            .unwrap();
    let edits: Vec<_> = located.edits.iter().map(|edit| (edit.range.start.0, edit.text.as_str())).collect();
    assert_eq!(edits, [(13, "two")]);
}

#[test]
fn blocks_come_in_the_order_of_the_requests_with_what_was_really_there() {
    let located = locate_all("a\r\nb\r\nc\r\nd\r\n", &[("d\n", ""), ("a\nb", "a\nx\nb")]).unwrap();
    assert_eq!(
        located.blocks,
        [
            Block {
                old_text: "d\r\n".into(),
                new_text: String::new(),
                old_range: LineRange::new(3, 4),
                new_range: LineRange::new(4, 4),
                fuzzy: false,
            },
            Block {
                old_text: "a\r\nb".into(),
                new_text: "a\r\nx\r\nb".into(),
                old_range: LineRange::new(0, 2),
                new_range: LineRange::new(0, 3),
                fuzzy: false,
            },
        ]
    );
}

#[test]
fn loose_matching_ignores_trailing_space_and_typography() {
    let cases = [
        (
            "let a = 1;   \nlet b = 2;\t\n",
            "let a = 1;\nlet b = 2;",
            "let a = 1;\nlet b = 3;",
            "let a = 1;   \nlet b = 3;\n",
        ),
        ("say “hi” – it’s\u{a0}me\n", "say \"hi\" - it's me", "bye", "bye\n"),
        ("say \"hi\" - it's me\n", "say “hi” — it‘s\u{a0}me", "bye", "bye\n"),
        ("x = 1\n", "x = 1  ", "x = 2", "x = 2\n"),
        ("a  \r\nb\r\n", "a\nb\n", "a\nc\n", "a  \r\nc\r\n"),
    ];
    for (text, old, new, expected) in cases {
        let located = locate_all(text, &[(old, new)]).unwrap();
        assert_eq!(located.new_text, expected, "{text:?}");
        assert!(located.blocks[0].fuzzy);
    }
}

#[test]
fn a_loose_block_reports_the_text_that_was_really_there() {
    let located = locate_all("x\nsay “hi”  \n", &[("say \"hi\"\n", "bye\n")]).unwrap();
    assert_eq!(
        located.blocks,
        [Block {
            old_text: "say “hi”  \n".into(),
            new_text: "bye\n".into(),
            old_range: LineRange::new(1, 2),
            new_range: LineRange::new(1, 2),
            fuzzy: true,
        }]
    );
}

#[test]
fn exact_wins_over_loose() {
    let located = locate_all("“a”\n\"a\"\n", &[("\"a\"", "b")]).unwrap();
    assert_eq!(located.new_text, "“a”\nb\n");
    assert!(!located.blocks[0].fuzzy);
}

#[test]
fn loose_matches_must_be_unique() {
    let error = locate_all("“a” 1\n“a” 2\n", &[("\"a\"", "b")]).unwrap_err();
    assert!(matches!(error, MatchError::NotFound { index: 0, .. }), "{error:?}");
}

#[test]
fn trailing_space_in_a_request_does_not_match_in_the_middle_of_a_line() {
    let error = locate_all("x = 1\n", &[("x =   ", "y =   ")]).unwrap_err();
    assert!(matches!(error, MatchError::NotFound { index: 0, .. }), "{error:?}");
    let blank = locate_all("x\n", &[("   ", "y")]).unwrap_err();
    assert_eq!(blank, MatchError::NotFound { index: 0, nearest: None });
}

#[test]
fn each_error_names_its_request() {
    assert_eq!(locate_all("a", &[("a", "b"), ("", "c")]), Err(MatchError::Empty { index: 1 }));
    assert_eq!(locate_all("a\n", &[("a\n", "a\r\n")]), Err(MatchError::Identical { index: 0 }));
    assert_eq!(
        locate_all("a\nb\na\n", &[("b", "c"), ("a", "c")]),
        Err(MatchError::Ambiguous { index: 1, count: 2, lines: vec![LineIndex(0), LineIndex(2)] })
    );
    assert_eq!(
        locate_all("aaa", &[("aa", "b")]),
        Err(MatchError::Ambiguous { index: 0, count: 2, lines: vec![LineIndex(0), LineIndex(0)] })
    );
    assert_eq!(locate_all("abcd", &[("cd", "x"), ("abc", "y")]), Err(MatchError::Overlap { a: 0, b: 1 }));
}

#[test]
fn a_miss_shows_the_nearest_lines() {
    let text = "fn one() {\n    first(1);\n}\n\nfn two() {\n    second(2);\n}\n";
    let error = locate_all(text, &[("fn two() {\n    second(3);\n}\n", "")]).unwrap_err();
    let nearest = Nearest { text: "fn two() {\n    second(2);\n}".into(), lines: LineRange::new(4, 7) };
    assert_eq!(error, MatchError::NotFound { index: 0, nearest: Some(nearest) });
    assert_eq!(
        locate_all(text, &[("nothing like it", "")]),
        Err(MatchError::NotFound { index: 0, nearest: None })
    );
}
