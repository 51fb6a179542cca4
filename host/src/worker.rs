//! A worker: one thread with a runtime of its own, its listeners, its connections, its view of the snapshot. Workers share
//! nothing on the way of a request.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::connection::{self, Arrival, Connection};
use crate::listener::accept;
use crate::message::Seconds;
use crate::snapshot::{BoundListener, SnapshotStore, View};

/// How often connections are looked at, downstream and upstream.
const SWEEP: Duration = Duration::from_secs(1);

/// The stack of a worker: room for the deepest filter (512 KiB) and then for the host below it.
const STACK: usize = 4 << 20;

/// Starts a worker. It ends when `drain` has been cancelled and its last exchange is done, or the drain time is over.
///
/// # Errors
/// If the thread cannot be started.
pub fn start(index: usize, store: Arc<SnapshotStore>, drain: CancellationToken) -> io::Result<JoinHandle<()>> {
    let runtime = move || -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
        runtime.block_on(Worker::new(index, store, drain).run());
        Ok(())
    };
    std::thread::Builder::new().name(format!("worker-{index}")).stack_size(STACK).spawn(move || {
        if let Err(error) = runtime() {
            tracing::error!(%error, "a worker could not start");
        }
    })
}

struct Worker {
    index: usize,
    store: Arc<SnapshotStore>,
    drain: CancellationToken,
    view: RefCell<Rc<View>>,
    /// The listeners that this worker accepts on; cancelled to stop.
    listeners: RefCell<Vec<(Arc<BoundListener>, CancellationToken)>>,
    connections: RefCell<Vec<Rc<Connection>>>,
    clock: Seconds,
    idle: Notify,
}

impl Worker {
    fn new(index: usize, store: Arc<SnapshotStore>, drain: CancellationToken) -> Rc<Self> {
        let view = View::new(store.load(), None);
        Rc::new(Self {
            index,
            store,
            drain,
            view: RefCell::new(view),
            listeners: RefCell::default(),
            connections: RefCell::default(),
            clock: Seconds::default(),
            idle: Notify::new(),
        })
    }

    async fn run(self: Rc<Self>) {
        let mut changed = self.store.subscribe();
        let mut sweep = tokio::time::interval(SWEEP);
        self.update_listeners();
        loop {
            tokio::select! {
                () = self.drain.cancelled() => break,
                _ = changed.changed() => {
                    self.view();
                    self.update_listeners();
                }
                _ = sweep.tick() => self.sweep(),
            }
        }
        self.listeners.borrow().iter().for_each(|(_, stop)| stop.cancel());
        let bound = self.view().snapshot.limits.drain;
        if tokio::time::timeout(bound, self.connections_gone()).await.is_err() {
            tracing::warn!(connections = self.connections.borrow().len(), after = ?bound, "connections cut: the drain time is over");
        }
    }

    /// The current view. Exchanges ask for it when they begin; the first after a swap makes the new one.
    fn view(&self) -> Rc<View> {
        let mut view = self.view.borrow_mut();
        if !self.store.is_current(&view.snapshot) {
            *view = View::new(self.store.load(), Some(&view));
        }
        Rc::clone(&view)
    }

    /// Starts to accept on new listeners and stops on those that are gone.
    fn update_listeners(self: &Rc<Self>) {
        let snapshot = Arc::clone(&self.view.borrow().snapshot);
        let mut listeners = self.listeners.borrow_mut();
        listeners.retain(|(known, stop)| {
            let wanted = snapshot.listeners.iter().any(|listener| Arc::ptr_eq(listener, known));
            if !wanted {
                stop.cancel();
            }
            wanted
        });
        for listener in &snapshot.listeners {
            if let Some(socket) = listener.take_socket(self.index) {
                let stop = self.drain.child_token();
                listeners.push((Arc::clone(listener), stop.clone()));
                self.accept(Arc::clone(listener), socket, stop);
            }
        }
    }

    fn accept(self: &Rc<Self>, listener: Arc<BoundListener>, socket: std::net::TcpListener, stop: CancellationToken) {
        let socket = match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(listener = &*listener.name, %error, "cannot accept on a socket");
                return;
            }
        };
        let (serving, failing) = (Rc::clone(self), Rc::clone(self));
        // Those that the last connections of a listener that goes away are served with.
        let mut settings = None;
        let name = Arc::clone(&listener.name);
        tokio::task::spawn_local(accept(
            socket,
            stop,
            move |stream, address| {
                settings = serving.view().snapshot.settings_of(&listener).cloned().or(settings.take());
                if let Some(settings) = settings.clone() {
                    serving.serve(Arrival { stream, address, listener: Arc::clone(&listener), settings });
                }
            },
            move |error| {
                failing.view.borrow().snapshot.metrics.gateway.accept_error();
                tracing::warn!(listener = &*name, %error, "a connection could not be accepted");
            },
        ));
    }

    fn serve(self: &Rc<Self>, arrival: Arrival) {
        let connection = Rc::new(Connection::new(Rc::clone(&self.clock), self.drain.child_token()));
        let open = OpenConnection::new(Rc::clone(self), Rc::clone(&connection));
        tokio::task::spawn_local(async move {
            let worker = &open.worker;
            let (limits, metrics) = {
                let view = worker.view.borrow();
                (view.snapshot.limits.clone(), Arc::clone(&view.snapshot.metrics))
            };
            connection::serve(arrival, &connection, &limits, &metrics, || worker.view()).await;
        });
    }

    /// Cuts connections that have waited for too long and lets go of unused ones to upstreams.
    fn sweep(&self) {
        self.clock.set(self.clock.get().wrapping_add(1));
        let view = Rc::clone(&self.view.borrow());
        view.sweep();
        let limits = &view.snapshot.limits;
        for connection in self.connections.borrow().iter() {
            connection.cut_if_overdue(limits);
        }
    }

    async fn connections_gone(&self) {
        while !self.connections.borrow().is_empty() {
            self.idle.notified().await;
        }
    }
}

/// Keeps a connection among the worker's for as long as its task lives.
struct OpenConnection {
    worker: Rc<Worker>,
    connection: Rc<Connection>,
}

impl OpenConnection {
    fn new(worker: Rc<Worker>, connection: Rc<Connection>) -> Self {
        let mut connections = worker.connections.borrow_mut();
        connection.set_place(connections.len());
        connections.push(Rc::clone(&connection));
        drop(connections);
        worker.view.borrow().snapshot.metrics.gateway.connection_opened();
        Self { worker, connection }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut connections = self.worker.connections.borrow_mut();
        let place = self.connection.place();
        connections.swap_remove(place);
        if let Some(moved) = connections.get(place) {
            moved.set_place(place);
        }
        if connections.is_empty() {
            self.worker.idle.notify_one();
        }
        drop(connections);
        self.worker.view.borrow().snapshot.metrics.gateway.connection_closed();
    }
}
