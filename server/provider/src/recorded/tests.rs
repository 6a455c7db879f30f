use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::model::ModelEvent;
use crate::settings::ProviderSettings;
use crate::wire::fixtures::{request, user};
use crate::{Environment, Models};

/// Answers one request after the other with these responses.
async fn serve(responses: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        for response in responses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 16 * 1024]).await.unwrap();
            stream.write_all(response.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap_or_default();
        }
    });
    address
}

async fn play(models: &Models, id: &str) -> Vec<Result<ModelEvent, ModelError>> {
    let model = models.resolve(&id.parse().unwrap()).unwrap();
    model.stream(request(vec![user("private text")]), CancellationToken::new()).collect().await
}

#[tokio::test]
async fn what_was_recorded_plays_again_with_the_same_events() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\nx-request-id: r-1\r\ncontent-type: text/event-stream\r\n\r\n\
data: {\"model\":\"gpt-4.1\",\"choices\":[{\"delta\":{\"content\":\"so \u{1f600}\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":100}}\n\ndata: [DONE]\n\n";
    let busy =
        "HTTP/1.1 503 Busy\r\nconnection: close\r\nretry-after: 2\r\n\r\n{\"error\":{\"message\":\"later\"}}";
    let cut = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let address = serve(vec![answer.into(), busy.into(), cut.into()]).await;
    let variables =
        [("OPENAI_BASE_URL", format!("http://{address}/v1")), ("OPENAI_API_KEY", "sk-planted".to_owned())];
    let real = Models::new(&ProviderSettings::default(), variables.into_iter().collect());
    let real = real.with_recording(&file).unwrap();
    let text = |events: &[Result<ModelEvent, ModelError>]| -> Vec<String> {
        events.iter().map(|event| format!("{event:?}").replace("recorded/", "openai/")).collect()
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(text(&play(&real, "openai/gpt-4.1").await));
    }
    drop(real);
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(!written.contains("planted") && !written.contains("private text"), "{written}");
    let again = Models::new(&ProviderSettings::default(), Environment::default());
    let id = format!("recorded/{}", file.display());
    for events in seen {
        let played = play(&again, &id).await;
        let names = |event: &String| event.replace("the recording", "OpenAI");
        assert_eq!(text(&played).iter().map(names).collect::<Vec<_>>(), events);
    }
    let over = play(&again, &id).await.pop().unwrap().unwrap_err();
    assert!(over.message.ends_with("has no further call"), "{over}");
}

#[tokio::test(start_paused = true)]
async fn pieces_come_at_their_time_and_bytes_as_they_were() {
    let lines = vec![
        Line::Text { at: 10, text: "a".into() },
        Line::Bytes { at: 250, bytes: vec![0xf0, 0x9f] },
        Line::End { at: 300 },
    ];
    let started = Instant::now();
    let played: Vec<(Bytes, Duration)> =
        body(lines).map(|piece| (piece.unwrap(), started.elapsed())).collect().await;
    let expected = [
        (Bytes::from_static(b"a"), Duration::from_millis(10)),
        (Bytes::from_static(&[0xf0, 0x9f]), Duration::from_millis(250)),
    ];
    assert_eq!(played, expected);
}

#[tokio::test]
async fn a_file_that_is_no_recording_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.jsonl");
    let models = Models::new(&ProviderSettings::default(), Environment::default());
    let id = format!("recorded/{}", file.display()).parse().unwrap();
    let error = || models.resolve(&id).map(|_| ()).unwrap_err().message;
    assert!(error().contains("cannot be played: "));
    std::fs::write(&file, "{\"type\":\"end\",\"at\":1}\n").unwrap();
    assert!(error().ends_with("line 1 comes before the first call"));
    std::fs::write(&file, "\nnonsense\n").unwrap();
    assert!(error().contains("line 2: "));
    let folder = folder.path().join("none/x.jsonl");
    assert!(Recorder::open(&folder).is_err());
}
