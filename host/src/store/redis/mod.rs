//! State on a Redis or Valkey server, for several gateways. Each worker has one connection of its own, on which everything that
//! it asks goes out at once and in order.
//!
//! Nothing waits longer than the configured time. A server that does not answer in that time, or whose connection breaks, is
//! out at once for the worker that noticed: what is asked comes to nothing without any waiting until a task in the background
//! has had an answer again. So an outage costs each worker one wait.

mod commands;
mod script;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisError};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use self::script::Scripts;
use super::StoreError;
use crate::telemetry::RedisMetrics;

/// How long a server that is out is left alone before it is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// The store's name, for logs.
    pub name: Box<str>,
    /// Host and port.
    pub address: Box<str>,
    /// TLS, if any, and the name that the certificate must have.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// Who this gateway is there, if the server asks.
    pub username: Option<Box<str>>,
    /// And its password.
    pub password: Option<Box<str>>,
    /// What all keys begin with.
    pub prefix: Box<str>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// A server, as all workers know it.
pub struct Redis {
    settings: RedisSettings,
    id: u64,
    scripts: Scripts,
    metrics: Arc<RedisMetrics>,
}

/// A worker's connection.
#[derive(Default)]
struct Link {
    connection: RefCell<Option<MultiplexedConnection>>,
    /// Whether a task is about to find out when the server is back.
    probed: Cell<bool>,
}

/// This worker's, by the number of the server.
type Links = Vec<(u64, Weak<Redis>, Rc<Link>)>;

thread_local! {
    static LINKS: RefCell<Links> = const { RefCell::new(Vec::new()) };
}

impl Redis {
    /// A server to which nobody is connected yet.
    #[must_use]
    pub fn new(settings: RedisSettings, metrics: Arc<RedisMetrics>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { settings, id, scripts: Scripts::default(), metrics })
    }

    /// What all keys begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.settings.prefix
    }

    /// This process has answered in the server's place.
    pub(super) fn stood_in(&self) {
        self.metrics.stood_in();
    }

    /// Asks the server something, within the time that there is.
    async fn ask<T, F>(self: &Arc<Self>, question: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        self.metrics.asked();
        let link = self.link();
        if link.probed.get() {
            return Err(self.lost());
        }
        let connected = link.connection.borrow().clone();
        let asked = async {
            let connection = match connected {
                Some(connection) => connection,
                None => self.connect(&link).await?,
            };
            question(connection).await
        };
        match timeout(self.settings.timeout, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => match refusal(&error) {
                Some(refusal) => Err(refusal),
                None => Err(self.out(&link, &error.to_string())),
            },
            Err(_) => Err(self.out(&link, &format!("no answer within {:?}", self.settings.timeout))),
        }
    }

    fn link(self: &Arc<Self>) -> Rc<Link> {
        LINKS.with_borrow_mut(|links| {
            if let Some((.., link)) = links.iter().find(|(id, ..)| *id == self.id) {
                return Rc::clone(link);
            }
            // Of servers that no configuration has any more.
            links.retain(|(_, redis, _)| redis.strong_count() > 0);
            let link = Rc::new(Link::default());
            links.push((self.id, Arc::downgrade(self), Rc::clone(&link)));
            link
        })
    }

    /// Opens this worker's connection.
    async fn connect(&self, link: &Link) -> Result<MultiplexedConnection, RedisError> {
        let settings = &self.settings;
        let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(username) = &settings.username {
            info = info.set_username(username);
        }
        if let Some(password) = &settings.password {
            info = info.set_password(password);
        }
        let socket = TcpStream::connect(&*settings.address).await?;
        socket.set_nodelay(true)?;
        let connection = match &settings.tls {
            None => drive(MultiplexedConnection::new_with_config(&info, socket, config()).await?),
            Some((tls, name)) => {
                let socket = TlsConnector::from(Arc::clone(tls)).connect(name.clone(), socket).await?;
                drive(MultiplexedConnection::new_with_config(&info, socket, config()).await?)
            }
        };
        // Two that were first at the same time: the later one stays, and the other goes with its last question.
        link.connection.replace(Some(connection.clone()));
        Ok(connection)
    }

    /// Leaves the server alone until it answers again.
    fn out(self: &Arc<Self>, link: &Rc<Link>, why: &str) -> StoreError {
        link.connection.replace(None);
        if !link.probed.replace(true) {
            tracing::warn!(store = &*self.settings.name, address = &*self.settings.address, "the store is out: {why}");
            self.metrics.set_out(true);
            tokio::task::spawn_local(probe(Arc::downgrade(self), Rc::clone(link)));
        }
        self.lost()
    }

    fn lost(&self) -> StoreError {
        self.metrics.lost();
        StoreError::Unavailable
    }

    async fn answers(&self, link: &Link) -> bool {
        let ask = async {
            let mut connection = self.connect(link).await?;
            redis::cmd("PING").query_async::<String>(&mut connection).await
        };
        timeout(self.settings.timeout, ask).await.is_ok_and(|answer| answer.is_ok())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.metrics.set_out(false);
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("address", &self.settings.address).finish_non_exhaustive()
    }
}

/// Time is kept by whoever asks.
fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(None)
}

/// Lets a connection run by itself; it ends when nobody holds it any more.
fn drive((connection, driver): (MultiplexedConnection, impl Future<Output = ()> + 'static)) -> MultiplexedConnection {
    tokio::task::spawn_local(driver);
    connection
}

/// Asks until there is an answer, or nobody wants one any more.
async fn probe(redis: Weak<Redis>, link: Rc<Link>) {
    loop {
        sleep(PAUSE).await;
        let Some(redis) = redis.upgrade() else { return };
        if redis.answers(&link).await {
            tracing::info!(store = &*redis.settings.name, "the store is back");
            redis.metrics.set_out(false);
            link.probed.set(false);
            return;
        }
        link.connection.replace(None);
    }
}

/// What a server that is well says of a single question; nothing if the server is not well.
fn refusal(error: &RedisError) -> Option<StoreError> {
    match error.code() {
        Some("OOM") => Some(StoreError::Full),
        Some("WRONGTYPE") => Some(StoreError::NotACounter),
        _ => {
            let says = |what| error.detail().is_some_and(|detail| detail.contains(what));
            (says("not an integer") || says("would overflow")).then_some(StoreError::NotACounter)
        }
    }
}
