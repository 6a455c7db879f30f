//! Files that no editor has open: read, replaced, created and deleted on disk.

use std::fs;

use kit_text::Text;
use kit_workspace::{Applied, Author, Base, EditError, WorkspaceError};
use tokio_util::sync::CancellationToken;

use crate::editor::{Project, Told, agent, replacing};

async fn edit(project: &Project, path: &str, old: &str, new: &str) -> Result<Applied, EditError> {
    let cancel = CancellationToken::new();
    project.workspace.edit(&project.location(path), agent(), "Edit", &replacing(old, new), &cancel).await
}

async fn write(project: &Project, path: &str, text: &str) -> Result<Applied, EditError> {
    let cancel = CancellationToken::new();
    let plan = |_: &Text| Ok(Text::from(text));
    project.workspace.edit(&project.location(path), agent(), "Write", &plan, &cancel).await
}

/// Names in a directory, hidden ones too, so that forgotten temporary files show.
fn names(project: &Project, path: &str) -> Vec<String> {
    let entries = fs::read_dir(project.top.join(path)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn file(before: &str, after: &str, existed: bool, exists: bool) -> Told {
    Told::File { author: agent(), before: before.to_owned(), after: after.to_owned(), existed, exists }
}

#[tokio::test]
async fn untouched_bytes_stay_whatever_the_file_looks_like() {
    for content in [
        "a\nold\nb\n",
        "a\r\nold\r\nb\r\n",
        "a\r\nold\nb\rc",
        "\u{feff}a\r\nold",
        "old",
        "é old 😀\u{2028}x\u{85}\n",
    ] {
        let project = Project::new(&[("a.txt", content)]);
        let result = edit(&project, "a.txt", "old", "new").await.unwrap();
        assert_eq!((result.saved, result.created, result.version, result.attempts), (true, false, None, 1));
        assert_eq!(project.on_disk("a.txt"), content.replace("old", "new"), "{content:?}");
        let text = content.trim_start_matches('\u{feff}');
        assert_eq!(project.told(), [file(text, &text.replace("old", "new"), true, true)]);
        assert_eq!(names(&project, ""), ["a.txt"]);
    }
}

#[tokio::test]
async fn a_new_file_gets_its_directories() {
    let project = Project::new(&[]);
    let result = write(&project, "src/deep/a.txt", "text\n").await.unwrap();
    let expected = Applied {
        before: Text::default(),
        after: "text\n".into(),
        version: None,
        saved: true,
        created: true,
        attempts: 1,
    };
    assert_eq!(result, expected);
    assert_eq!(project.on_disk("src/deep/a.txt"), "text\n");
    assert_eq!(names(&project, "src/deep"), ["a.txt"]);
    assert_eq!(project.told(), [file("", "text\n", false, true)]);
}

#[tokio::test]
async fn an_empty_file_can_be_made() {
    let project = Project::new(&[]);
    assert!(write(&project, "empty", "").await.unwrap().created);
    assert_eq!(project.on_disk("empty"), "");
}

#[tokio::test]
async fn a_file_that_changes_between_plan_and_write_is_planned_again() {
    let project = Project::new(&[("a.txt", "old\n")]);
    let (path, cancel) = (project.top.join("a.txt"), CancellationToken::new());
    let runs = std::sync::atomic::AtomicU32::new(0);
    let plan = |text: &Text| {
        if runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            fs::write(&path, "theirs\nold\n").unwrap();
        }
        replacing("old", "new")(text)
    };
    let location = project.location("a.txt");
    let result = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await.unwrap();
    assert_eq!((result.attempts, result.before.to_string().as_str()), (2, "theirs\nold\n"));
    assert_eq!(project.on_disk("a.txt"), "theirs\nnew\n");
}

#[tokio::test]
async fn a_file_that_never_stands_still_is_a_conflict_and_keeps_its_content() {
    let project = Project::new(&[("a.txt", "0\n")]);
    let cancel = CancellationToken::new();
    let (path, new_path) = (project.top.join("a.txt"), project.top.join("new.txt"));
    let grow = |text: &Text| {
        fs::write(&path, format!("{text}more\n")).unwrap();
        Ok(Text::from("ours"))
    };
    let location = project.location("a.txt");
    let result = project.workspace.edit(&location, agent(), "Edit", &grow, &cancel).await;
    assert_eq!(result, Err(EditError::Conflict { current: "0\nmore\nmore\nmore\n".into() }));
    let appear = |text: &Text| {
        fs::write(&new_path, format!("{text}theirs")).unwrap();
        Ok(Text::from("ours"))
    };
    let location = project.location("new.txt");
    let result = project.workspace.edit(&location, agent(), "Edit", &appear, &cancel).await;
    assert_eq!(result, Err(EditError::Conflict { current: "theirstheirstheirs".into() }));
    assert_eq!(project.told(), []);
}

#[tokio::test]
async fn a_file_that_is_deleted_meanwhile_is_not_made_again_from_the_old_text() {
    let project = Project::new(&[("a.txt", "old\n")]);
    let (path, cancel) = (project.top.join("a.txt"), CancellationToken::new());
    let plan = |text: &Text| {
        let planned = replacing("old", "new")(text);
        if path.exists() {
            fs::remove_file(&path).unwrap();
        }
        planned
    };
    let location = project.location("a.txt");
    let result = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await;
    assert_eq!(result, Err(EditError::Vanished { path: path.clone() }));
    assert_eq!(names(&project, ""), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_opened_between_plan_and_write_is_edited_in_the_editor() {
    let project = Project::new(&[("a.txt", "old\n")]);
    let cancel = CancellationToken::new();
    let plan = |text: &Text| {
        if project.documents.list().is_empty() {
            project.open("a.txt", "old\n");
        }
        replacing("old", "new")(text)
    };
    let location = project.location("a.txt");
    let result = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await.unwrap();
    assert_eq!((result.version, result.attempts, result.saved), (Some(2), 2, true));
}

#[tokio::test]
async fn what_is_not_editable_text_is_refused_with_its_reason() {
    let project = Project::new(&[("dir/x", ""), ("file", "x")]);
    fs::write(project.top.join("latin"), b"caf\xe9 ol\xe9\n").unwrap();
    fs::write(project.top.join("binary"), b"\x7fELF\0\0").unwrap();
    let huge = fs::File::create(project.top.join("huge")).unwrap();
    huge.set_len(kit_workspace::MAX_FILE_BYTES + 1).unwrap();
    let path = |name: &str| project.top.join(name);
    let check = async |name: &str, expected: WorkspaceError| {
        assert_eq!(edit(&project, name, "x", "y").await, Err(EditError::Workspace(expected.clone())));
        assert_eq!(project.workspace.snapshot(&project.location(name)).await, Err(expected));
    };
    check("latin", WorkspaceError::NotUtf8 { path: path("latin"), offset: 3 }).await;
    check("binary", WorkspaceError::Binary { path: path("binary"), size: 6 }).await;
    check("dir", WorkspaceError::IsDirectory { path: path("dir") }).await;
    let limit = kit_workspace::MAX_FILE_BYTES;
    check("huge", WorkspaceError::TooLarge { path: path("huge"), size: limit + 1, limit }).await;
    let why = "a part of it is a file, not a directory".to_owned();
    check("file/below", WorkspaceError::BadPath { path: path("file/below"), why }).await;
    assert_eq!(fs::read(path("latin")).unwrap(), b"caf\xe9 ol\xe9\n");
    assert_eq!(project.told(), []);
}

#[tokio::test]
async fn deleting_needs_the_text_that_was_seen() {
    let project = Project::new(&[("a.txt", "\u{feff}text\r\n"), ("open.txt", "seen"), ("dirty.txt", "seen")]);
    let delete = async |path: &str, text: &str| {
        project.workspace.delete(&project.location(path), &text.into(), Author::Review).await
    };
    assert_eq!(delete("a.txt", "other").await, Err(EditError::Conflict { current: "text\r\n".into() }));
    assert_eq!(project.told(), []);
    assert_eq!(delete("a.txt", "text\r\n").await, Ok(()));
    let deleted = |before: &str| Told::File {
        author: Author::Review,
        before: before.to_owned(),
        after: String::new(),
        existed: true,
        exists: false,
    };
    assert_eq!(project.told(), [deleted("text\r\n")]);
    let location = project.location("a.txt");
    assert_eq!(delete("a.txt", "text\r\n").await, Err(EditError::Vanished { path: location.path }));

    project.open("open.txt", "seen");
    project.open("dirty.txt", "seen and typed");
    project.told();
    assert_eq!(delete("open.txt", "seen").await, Ok(()));
    assert_eq!(project.told(), [deleted("seen")]);
    assert_eq!(
        delete("dirty.txt", "seen").await,
        Err(EditError::Conflict { current: "seen and typed".into() })
    );
    assert_eq!(names(&project, ""), ["dirty.txt"]);
}

#[tokio::test]
async fn snapshots_say_where_they_are_from() {
    let project = Project::new(&[("a.txt", "\u{feff}disk")]);
    let snapshot = async |path: &str| project.workspace.snapshot(&project.location(path)).await.unwrap();
    let missing = snapshot("missing").await;
    assert_eq!((missing.base, missing.exists(), missing.text), (Base::Missing, false, Text::default()));
    let disk = snapshot("a.txt").await;
    assert!(matches!(disk.base, Base::Disk { .. }));
    assert_eq!((disk.text.to_string().as_str(), disk.bom), ("disk", true));
    let uri = project.open("a.txt", "disk");
    assert_eq!(snapshot("a.txt").await.base, Base::Open { version: 1, dirty: false, desynced: false });
    project.type_text(&uri, "open and ");
    let open = snapshot("a.txt").await;
    assert_eq!(open.base, Base::Open { version: 2, dirty: true, desynced: false });
    assert_eq!(open.text, "open and disk");
}

#[tokio::test]
async fn a_document_without_a_file_is_read_and_edited_by_its_name() {
    let project = Project::new(&[]);
    assert!(project.location("untitled:Untitled-1").uri.is_file());
    let uri = project.open_opaque("untitled:Untitled-1", "old");
    let location = project.location(uri.as_str());
    assert_eq!((location.display.as_str(), location.inside), ("untitled:Untitled-1", true));
    let result = edit(&project, uri.as_str(), "old", "new").await.unwrap();
    assert_eq!((result.version, result.saved), (Some(2), false));
    assert_eq!(project.documents.get(&uri).unwrap().text, "new");
    project.documents.close(&uri);
    assert_eq!(project.workspace.snapshot(&location).await, Err(WorkspaceError::NotOpen { uri }));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[tokio::test]
    async fn mode_is_kept_and_a_new_file_gets_the_usual_one() {
        let project = Project::new(&[("run.sh", "old\n")]);
        let path = project.top.join("run.sh");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
        edit(&project, "run.sh", "old", "new").await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o751);
        fs::write(project.top.join("theirs"), "").unwrap();
        write(&project, "ours", "x").await.unwrap();
        let mode = |name: &str| fs::metadata(project.top.join(name)).unwrap().mode();
        assert_eq!(mode("ours"), mode("theirs"));
    }

    #[tokio::test]
    async fn a_file_without_any_write_bit_is_refused_even_for_the_superuser() {
        let project = Project::new(&[("a.txt", "old\n")]);
        let path = project.top.join("a.txt");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let result = edit(&project, "a.txt", "old", "new").await;
        assert_eq!(result, Err(EditError::ReadOnly { path: path.clone() }));
        let result =
            project.workspace.delete(&project.location("a.txt"), &"old\n".into(), Author::Review).await;
        assert_eq!(result, Err(EditError::ReadOnly { path }));
        assert_eq!(project.on_disk("a.txt"), "old\n");
        assert_eq!(project.told(), []);
    }

    #[tokio::test]
    async fn a_link_stays_a_link_and_its_target_is_written() {
        let project = Project::new(&[("real/a.txt", "old\n")]);
        symlink("real/a.txt", project.top.join("link.txt")).unwrap();
        symlink("real/new.txt", project.top.join("dangling.txt")).unwrap();
        edit(&project, "link.txt", "old", "new").await.unwrap();
        write(&project, "dangling.txt", "made\n").await.unwrap();
        assert_eq!([project.on_disk("real/a.txt"), project.on_disk("real/new.txt")], ["new\n", "made\n"]);
        for name in ["link.txt", "dangling.txt"] {
            assert!(fs::symlink_metadata(project.top.join(name)).unwrap().is_symlink());
        }
        assert_eq!(names(&project, "real"), ["a.txt", "new.txt"]);
    }

    #[tokio::test]
    async fn a_directory_replaced_by_a_link_after_the_check_is_not_followed() {
        let project = Project::new(&[("sub/a.txt", "old\n")]);
        let location = project.location("sub/a.txt");
        let outside = project.outside().join("outside");
        fs::rename(project.top.join("sub"), &outside).unwrap();
        symlink(&outside, project.top.join("sub")).unwrap();
        let cancel = CancellationToken::new();
        let plan = replacing("old", "new");
        let result = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await;
        assert_eq!(result, Err(EditError::Workspace(WorkspaceError::Moved { path: location.path })));
        assert_eq!(fs::read_to_string(outside.join("a.txt")).unwrap(), "old\n");
    }

    #[tokio::test]
    async fn a_pipe_is_not_a_file() {
        let project = Project::new(&[]);
        let listener = std::os::unix::net::UnixListener::bind(project.top.join("socket")).unwrap();
        let result = edit(&project, "socket", "x", "y").await;
        let path = project.top.join("socket");
        assert_eq!(result, Err(EditError::Workspace(WorkspaceError::NotAFile { path })));
        drop(listener);
    }
}
