use crate::desk::{Desk, failed, pid, succeeded};
use kit_tools::{ToolOutput, ToolSettings};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

async fn run(desk: &Desk, command: &str) -> ToolOutput {
    desk.call("bash", json!({ "command": command })).await
}

/// Runs the command, cancels it once it printed the marker, and gives what is left.
async fn cancelled_at(desk: &Desk, command: &str, marker: &str) -> String {
    let cancel = desk.context.cancel.clone();
    let (output, _) = futures::join!(run(desk, command), async {
        desk.until(marker).await;
        cancel.cancel();
    });
    failed(output)
}

/// Waits until no such process runs. One that ended and that nobody awaited does not run.
async fn gone(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        ticks.tick().await;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return;
        }
        assert!(Instant::now() < deadline, "process {pid} still runs: {stat}");
    }
}

#[tokio::test]
async fn results_hold_both_streams_and_the_code() {
    let desk = Desk::new();
    assert_eq!(
        succeeded(run(&desk, "echo out; pwd").await),
        format!("out\n{}", desk.path("").display().to_string().trim_end_matches('/'))
    );
    assert_eq!(failed(run(&desk, "echo out; echo err >&2; exit 3").await), "out\nSTDERR:\nerr\nExit code: 3");
    assert_eq!(succeeded(run(&desk, "true").await), "(no output)");
    assert_eq!(failed(run(&desk, "kill -9 $$").await), "(no output)\nExit code: 137");
}

#[tokio::test]
async fn nothing_waits_for_input() {
    let desk = Desk::new();
    assert_eq!(succeeded(run(&desk, "cat; read line; echo \"[$line]\"").await), "[]");
    assert_eq!(failed(run(&desk, "(: < /dev/tty) 2> /dev/null").await), "(no output)\nExit code: 1");
}

#[tokio::test]
async fn output_is_streamed_while_the_command_runs() {
    let desk = Desk::new();
    let fifo = desk.path("fifo");
    let command = "mkfifo fifo; printf 'first ä'; read line < fifo; echo \" $line\"";
    let (output, _) = futures::join!(run(&desk, command), async {
        desk.until("first ä").await;
        let written = tokio::task::spawn_blocking(move || std::fs::write(fifo, "second\n"));
        written.await.unwrap().unwrap();
    });
    assert_eq!(succeeded(output), "first ä second");
}

#[tokio::test]
async fn a_line_of_megabytes_is_cut_between_characters() {
    let desk = Desk::new();
    let content = succeeded(run(&desk, "yes 'é' | head -n 2500000 | tr -d '\\n'; echo; echo end").await);
    assert!(
        content.starts_with("éééé") && content.ends_with("é\nend"),
        "{}",
        &content[content.len() - 100..]
    );
    assert!(content.contains("[… 4,948,806 bytes left out …]"), "{:?}", content.find('['));
    assert!(content.len() < 52 * 1024 && !content.contains('\u{fffd}'));
}

#[tokio::test]
async fn many_lines_are_cut_in_the_middle() {
    let desk = Desk::new();
    let content = succeeded(run(&desk, "seq 1 100000").await);
    assert!(content.starts_with("1\n2\n") && content.ends_with("\n99999\n100000"));
    assert!(content.contains("\n1000\n[… 98,000 lines (579,001 bytes) left out …]\n99001\n"), "{content}");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_marked() {
    let desk = Desk::new();
    assert_eq!(succeeded(run(&desk, "printf 'a\\377b\\303'").await), "a\u{fffd}b\u{fffd}");
}

#[tokio::test]
async fn a_timeout_keeps_the_output_and_ends_everything() {
    let desk = Desk::new();
    let command =
        "sh -c 'echo $$ > child.pid; sleep 1000' & while [ ! -s child.pid ]; do :; done; echo before; wait";
    let output = desk.call("bash", json!({ "command": command, "timeout": 2.5 })).await;
    assert_eq!(failed(output), "timed out after 2.5 s; output so far:\nbefore");
    gone(pid(&desk.path("child.pid"))).await;
}

#[tokio::test]
async fn a_cancel_ends_children_and_grandchildren() {
    let desk = Desk::new();
    let command = "sh -c 'echo $$ > child.pid; (echo $BASHPID; sh -c \"echo \\$\\$ > grandchild.pid; exec sleep 1000\") & wait' & \
                   while [ ! -s grandchild.pid ]; do :; done; echo ready; wait";
    let content = cancelled_at(&desk, command, "ready").await;
    assert!(
        content.starts_with("cancelled by the user; output so far:\n") && content.contains("ready"),
        "{content}"
    );
    gone(pid(&desk.path("child.pid"))).await;
    gone(pid(&desk.path("grandchild.pid"))).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_cancel_also_ends_daemons() {
    let desk = Desk::new();
    // The first child is gone when the cancel comes, so nothing but the mark connects the daemon with the call.
    let command = "(setsid sh -c 'echo $$ > daemon.pid; exec sleep 1000' > /dev/null 2>&1 &) ; \
                   while [ ! -s daemon.pid ]; do :; done; echo ready; sleep 1000";
    cancelled_at(&desk, command, "ready").await;
    gone(pid(&desk.path("daemon.pid"))).await;
}

#[tokio::test]
async fn a_cancel_lets_a_command_clean_up() {
    let desk = Desk::new();
    let command = "trap 'echo cleaned; exit 0' TERM; echo ready; sleep 1000 & wait";
    assert_eq!(
        cancelled_at(&desk, command, "ready").await,
        "cancelled by the user; output so far:\nready\ncleaned"
    );
}

#[tokio::test]
async fn a_command_that_ignores_the_request_to_end_is_ended() {
    let desk = Desk::new();
    let command = "trap '' TERM; echo $$ > own.pid; echo ready; while :; do sleep 1000; done";
    assert_eq!(cancelled_at(&desk, command, "ready").await, "cancelled by the user; output so far:\nready");
    gone(pid(&desk.path("own.pid"))).await;
}

#[tokio::test]
async fn dropping_the_call_ends_the_command() {
    let desk = Desk::new();
    {
        let call = run(&desk, "echo $$ > own.pid; echo ready; sleep 1000");
        tokio::pin!(call);
        tokio::select! {
            output = &mut call => panic!("{}", output.content),
            _ = desk.until("ready") => {}
        }
    }
    gone(pid(&desk.path("own.pid"))).await;
}

#[tokio::test]
async fn what_is_left_in_the_background_does_not_hang_the_call() {
    let desk = Desk::new();
    let command = "sleep 1000 & echo $! > child.pid; echo done";
    assert_eq!(
        succeeded(run(&desk, command).await),
        "done\n[processes that the command left in the background were stopped]"
    );
    gone(pid(&desk.path("child.pid"))).await;
    let silent = "sleep 1000 > /dev/null 2>&1 & echo $! > child.pid; echo done";
    assert_eq!(
        succeeded(run(&desk, silent).await),
        "done\n[processes that the command left in the background were stopped]"
    );
    gone(pid(&desk.path("child.pid"))).await;
}

#[tokio::test]
async fn what_ends_in_the_background_by_itself_is_waited_for() {
    let desk = Desk::new();
    let command = "mkfifo fifo; (read line < fifo; echo \"late $line\") & (echo x > fifo) & exit 0";
    assert_eq!(succeeded(run(&desk, command).await), "late x");
}

#[tokio::test]
async fn private_variables_are_not_inherited() {
    let mut desk = Desk::new();
    assert_ne!(succeeded(run(&desk, "echo \"[$PATH]\"").await), "[]");
    desk.context.settings =
        Arc::new(ToolSettings { private_variables: vec!["home".to_owned()], ..ToolSettings::default() });
    assert_eq!(succeeded(run(&desk, "echo \"[$HOME] $TERM\"").await), "[] dumb");
}

#[tokio::test]
async fn unsaved_files_are_named() {
    let desk = Desk::new();
    desk.write("a.rs", "disk");
    let uri = desk.open("a.rs", "disk");
    assert_eq!(succeeded(run(&desk, "cat a.rs").await), "disk");
    desk.types(&uri, "typed");
    assert_eq!(
        succeeded(run(&desk, "cat a.rs").await),
        "disk\n[the command did not see unsaved changes in the editor: a.rs]"
    );
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let desk = Desk::new();
    let check = |arguments, expected: &'static str| {
        let desk = &desk;
        async move { assert_eq!(failed(desk.call("bash", arguments).await), expected) }
    };
    check(json!({}), "invalid arguments: missing field `command`").await;
    check(json!({ "command": "  " }), "invalid arguments: command: it is empty").await;
    check(
        json!({ "command": "a", "timeout": 0 }),
        "invalid arguments: timeout: it must be a number of seconds greater than 0",
    )
    .await;
    check(
        json!({ "command": "a", "timeout": "soon" }),
        "invalid arguments: timeout: invalid type: string \"soon\", expected f64",
    )
    .await;
    assert_eq!(desk.questions(), []);
}

#[tokio::test]
async fn a_missing_folder_is_an_error() {
    let mut desk = Desk::new();
    desk.context.cwd = desk.path("gone");
    let content = failed(run(&desk, "true").await);
    assert!(content.starts_with("the command could not be started in "), "{content}");
}
