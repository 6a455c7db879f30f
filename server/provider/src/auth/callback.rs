//! The server on this machine that the browser comes back to with a code.
//!
//! It lives as long as one login, answers on the loopback addresses alone, and reads nothing of a request but its first
//! line. A request with another state is another page's and is answered with an error, while the login goes on waiting.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::proof::{Proof, Returned, read_query};

/// The longest first line of a request.
const LONGEST_LINE: usize = 16 * 1024;
/// How long a browser may take for its request; some open connections ahead of need and send nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that are served at once; a browser needs a few.
const MOST_CONNECTIONS: usize = 32;
/// Answers that wait to be taken: one ends the login, so a full queue has what is needed.
const ANSWERS: usize = 1;

/// A bound port, on which nobody is answered yet.
pub(super) struct Callback {
    listeners: Vec<TcpListener>,
    pub(super) port: u16,
    path: &'static str,
}

impl Callback {
    /// Binds the port, or any when it is 0. `localhost` is an address of either kind, so both are bound where both exist.
    pub(super) async fn bind(port: u16, path: &'static str) -> io::Result<Self> {
        let first = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = first.local_addr()?.port();
        let second = TcpListener::bind(("::1", port)).await.ok();
        Ok(Self { listeners: std::iter::once(first).chain(second).collect(), port, path })
    }

    /// The address that the provider sends the browser to.
    pub(super) fn url(&self) -> String {
        format!("http://localhost:{}{}", self.port, self.path)
    }

    /// Serves until the browser comes back to this login. Dropping it closes the port.
    pub(super) async fn answer(self, proof: &Proof) -> Returned {
        let (sender, mut answers) = mpsc::channel(ANSWERS);
        let mut tasks = JoinSet::new();
        let proof = Arc::new(proof.clone());
        for listener in self.listeners {
            tasks.spawn(accept(listener, self.path, Arc::clone(&proof), sender.clone()));
        }
        let returned = match answers.recv().await {
            Some(returned) => returned,
            // The sender above outlives the wait, so the channel does not close.
            None => std::future::pending().await,
        };
        tasks.shutdown().await;
        returned
    }
}

async fn accept(
    listener: TcpListener,
    path: &'static str,
    proof: Arc<Proof>,
    answers: mpsc::Sender<Returned>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MOST_CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let (proof, answers) = (Arc::clone(&proof), answers.clone());
                connections.spawn(async move {
                    let served = serve(stream, path, &proof, &answers);
                    if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, served).await {
                        tracing::debug!(%error, "a request to the login's own server broke");
                    }
                });
            }
            // Too many open files and the like pass; waiting keeps this loop from spinning.
            Err(error) => {
                tracing::debug!(%error, "a connection of the browser could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    path: &str,
    proof: &Proof,
    answers: &mpsc::Sender<Returned>,
) -> io::Result<()> {
    let line = first_line(&mut stream).await?;
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (found, query) = target.split_once('?').unwrap_or((target, ""));
    if method != "GET" || found != path {
        return respond(&mut stream, "404 Not Found", "There is nothing here.").await;
    }
    let returned = read_query(query).filter(|returned| {
        let (Returned::Code { state, .. } | Returned::Refusal { state, .. }) = returned;
        state.as_deref().is_some_and(|state| proof.is_own(state))
    });
    let Some(returned) = returned else {
        let text =
            "This page belongs to another login. Go back to Kit and open the address that it shows now.";
        return respond(&mut stream, "400 Bad Request", text).await;
    };
    let text = match returned {
        Returned::Code { .. } => "Kit has the login. You can close this page.",
        Returned::Refusal { .. } => "The login was refused. You can close this page and try again in Kit.",
    };
    respond(&mut stream, "200 OK", text).await?;
    // A second answer, or one that nobody waits for any more, changes nothing.
    let _first = answers.try_send(returned);
    Ok(())
}

async fn first_line(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let ended = length == 0 || bytes.len() > LONGEST_LINE;
        if ended || bytes.contains(&b'\n') {
            let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            return Ok(String::from_utf8_lossy(line).trim_end().to_owned());
        }
    }
}

async fn respond(stream: &mut TcpStream, status: &str, text: &str) -> io::Result<()> {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Kit</title>\
         <body style=\"font: 1.1em sans-serif; margin: 4em\"><p>{text}</p></body></html>"
    );
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    async fn get(port: u16, target: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    fn proof() -> Proof {
        Proof { verifier: "v".into(), state: "mine".into() }
    }

    #[tokio::test]
    async fn only_the_own_state_ends_the_wait() {
        let callback = Callback::bind(0, "/callback").await.unwrap();
        let port = callback.port;
        assert_eq!(callback.url(), format!("http://localhost:{port}/callback"));
        let waiting = tokio::spawn(async move { callback.answer(&proof()).await });
        // A connection that a browser opens ahead of need must hold nobody up.
        let _silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        assert_eq!(get(port, "/favicon.ico").await, "HTTP/1.1 404 Not Found");
        assert_eq!(get(port, "/callback?code=c&state=other").await, "HTTP/1.1 400 Bad Request");
        assert_eq!(get(port, "/callback?error=access_denied").await, "HTTP/1.1 400 Bad Request");
        assert_eq!(get(port, "/callback").await, "HTTP/1.1 400 Bad Request");
        assert_eq!(get(port, "/callback?code=c%2F1&state=mine").await, "HTTP/1.1 200 OK");
        let Returned::Code { code, state, .. } = waiting.await.unwrap() else { panic!("no code") };
        assert_eq!((code.expose_secret(), state.as_deref()), ("c/1", Some("mine")));
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }

    #[tokio::test]
    async fn a_refusal_of_the_provider_ends_it_too() {
        let callback = Callback::bind(0, "/callback").await.unwrap();
        let port = callback.port;
        let waiting = tokio::spawn(async move { callback.answer(&proof()).await });
        assert_eq!(get(port, "/callback?error=access_denied&state=mine").await, "HTTP/1.1 200 OK");
        let Returned::Refusal { error, .. } = waiting.await.unwrap() else { panic!("a code") };
        assert_eq!(error, "access_denied");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        assert!(Callback::bind(taken.local_addr().unwrap().port(), "/callback").await.is_err());
    }
}
