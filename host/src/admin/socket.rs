//! The socket for operators: the same pages, and operations by `POST`. It is in the gateway's own folder and for its user
//! alone; who asks is known from the kernel, and written into the history.

use std::convert::Infallible;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Admin;
use super::events::whole;
use super::pages::{page, percent_decoded};
use crate::deploy::{Operation, Version};
use crate::reload::{OperateError, Operations};

/// The name of the socket in the gateway's folder.
const NAME: &str = "admin.sock";

/// The most that an operation may have to say, in bytes.
const MAX_BODY: usize = 4 << 10;

/// Connections that are open at once.
const MAX_OPEN: usize = 32;

/// What operators need.
pub struct Operators {
    /// Where they come in.
    pub socket: UnixListener,
    /// Where what they want is done.
    pub operations: Operations,
}

/// Binds the socket in the gateway's own folder, in the place of what another process has left or uses there.
///
/// # Errors
/// If it cannot be bound.
pub fn bind_operators(folder: &Path) -> io::Result<UnixListener> {
    // By the descriptor of the folder, as the path of a socket must not be longer than 107 bytes.
    let opened = File::open(folder)?;
    let short = Path::new("/proc/self/fd").join(opened.as_raw_fd().to_string());
    let beside = short.join(format!("{NAME}.{}", std::process::id()));
    let _ = std::fs::remove_file(&beside);
    let socket = UnixListener::bind(&beside)?;
    std::fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
    std::fs::rename(&beside, folder.join(NAME))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Admin {
    /// Serves operators, once there is a socket for them, until `stop` is cancelled.
    pub async fn serve_operators(self: Arc<Self>, stop: CancellationToken) {
        let operators = tokio::select! {
            operators = self.operators.wait() => operators,
            () = stop.cancelled() => return,
        };
        let socket = operators.socket.try_clone().and_then(tokio::net::UnixListener::from_std);
        let Ok(socket) = socket.inspect_err(|error| tracing::error!(%error, "no socket for operators")) else { return };
        let mut open = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept(), if open.len() < MAX_OPEN => accepted,
                Some(_) = open.join_next() => continue,
                () = stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => drop(open.spawn_local(serve(Arc::clone(&self), stream, stop.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "an operator's connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn operated(&self, who: &Who, request: Request<Incoming>) -> Response<String> {
        let Some(operators) = self.operators.get() else { return answer(StatusCode::SERVICE_UNAVAILABLE, json!({})) };
        let path = request.uri().path().to_owned();
        let body = Limited::new(request.into_body(), MAX_BODY).collect().await.map(|body| body.to_bytes());
        let refuse = |status, why: String| answer(status, json!({ "error": why }));
        let Ok(body) = body else { return refuse(StatusCode::BAD_REQUEST, "the body cannot be read".to_owned()) };
        let operation = match version(&body) {
            Ok(version) => operation(&path, version),
            Err(why) => return refuse(StatusCode::BAD_REQUEST, why),
        };
        let Some(operation) = operation else {
            let known = "POST /policies/NAME/rollback, pin, unpin, pause, resume, promote or abort, /pause or /resume";
            return refuse(StatusCode::NOT_FOUND, format!("there is only {known}"));
        };
        match operators.operations.operate(operation, &who.by, &who.from).await {
            Ok(operated) => answer(StatusCode::OK, json!({ "change": operated.change, "version": operated.version })),
            Err(error @ OperateError::Stopping) => refuse(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            Err(error) => refuse(StatusCode::CONFLICT, error.to_string()),
        }
    }
}

/// Who is at the other end.
struct Who {
    by: String,
    from: String,
}

async fn serve(pages: Arc<Admin>, stream: UnixStream, stop: CancellationToken) {
    let own = rustix::process::geteuid().as_raw();
    // The mode of the socket says the same; this is for whoever changes it.
    let who = match stream.peer_cred() {
        Ok(peer) if peer.uid() == own || peer.uid() == 0 => {
            let process = peer.pid().map(|pid| format!("process {pid} by ")).unwrap_or_default();
            Arc::new(Who { by: format!("user {}", peer.uid()), from: format!("{process}{NAME}") })
        }
        _ => return tracing::warn!("somebody else wanted to operate the gateway"),
    };
    let service = service_fn(|request: Request<Incoming>| {
        let (pages, who, stop) = (Arc::clone(&pages), Arc::clone(&who), stop.clone());
        async move {
            Ok::<_, Infallible>(match *request.method() {
                Method::POST => whole(pages.operated(&who, request).await),
                _ => pages.content(&request, &stop),
            })
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an operator's connection ended");
    }
}

fn operation(path: &str, version: Option<Version>) -> Option<Operation> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (parts.as_slice(), version) {
        (["pause"], None) => Some(Operation::Pause { policy: None }),
        (["resume"], None) => Some(Operation::Resume { policy: None }),
        (["policies", policy, what], version) => {
            let policy = percent_decoded(policy);
            match (*what, version) {
                ("rollback", version) => Some(Operation::RollBack { policy, version }),
                ("pin", version) => Some(Operation::Pin { policy, version }),
                ("unpin", None) => Some(Operation::Unpin { policy }),
                ("pause", None) => Some(Operation::Pause { policy: Some(policy) }),
                ("resume", None) => Some(Operation::Resume { policy: Some(policy) }),
                ("promote", None) => Some(Operation::Promote { policy }),
                ("abort", None) => Some(Operation::Abort { policy }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Which version is asked for: nothing, or `{ "version": "…" }`.
fn version(body: &[u8]) -> Result<Option<Version>, String> {
    if body.is_empty() {
        return Ok(None);
    }
    let wrong = || "the body is not {\"version\": \"…\"}".to_owned();
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return Err(wrong()) };
    if object.keys().any(|key| key != "version") {
        return Err(wrong());
    }
    match object.get("version") {
        None | Some(Value::Null) => Ok(None),
        Some(version) => version.as_str().ok_or_else(wrong)?.parse().map(Some),
    }
}

fn answer(status: StatusCode, value: Value) -> Response<String> {
    page(status, "application/json", format!("{value}\n"))
}
