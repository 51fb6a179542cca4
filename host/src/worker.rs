//! A worker: one thread with a runtime of its own, its listeners, its connections, its view of the snapshot. Workers share
//! nothing on the way of a request.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

use crate::connection::{self, Arrival, Connection};
use crate::listener::{Accepted, Admitted, accept};
use crate::message::Seconds;
use crate::snapshot::{BoundListener, ListenerSettings, SnapshotStore, View};
use crate::telemetry::{Refusal, own_lane};

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
        let _lane = own_lane();
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
    /// Views that no exchange begins on any more, as long as some go on.
    old: RefCell<Vec<OldView>>,
    listeners: RefCell<Vec<OpenListener>>,
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
            // A token of its own: connections add themselves to it.
            drain: drain.child_token(),
            view: RefCell::new(view),
            old: RefCell::default(),
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
        self.connections.borrow().iter().for_each(|connection| connection.drain());
        let bound = self.view().snapshot.limits.drain;
        tokio::select! {
            () = self.drained() => {}
            () = tokio::time::sleep(bound) => {
                let connections = self.connections.borrow().len();
                tracing::warn!(connections, after = ?bound, "connections cut: the drain time is over");
            }
            () = self.sweep_in_drain(sweep) => {}
        }
    }

    /// Ends when the last connection has, of those that were accepted or waited to be.
    async fn drained(&self) {
        let listeners = self.listeners.take();
        listeners.iter().for_each(|listener| listener.close(self.index));
        for accepting in listeners.into_iter().flat_map(|listener| listener.accepting) {
            // It panicked, and has logged why, or has nothing to say.
            let _ = accepting.await;
        }
        self.connections_gone().await;
    }

    async fn sweep_in_drain(&self, mut sweep: Interval) {
        loop {
            sweep.tick().await;
            self.sweep();
            for connection in self.connections.borrow().iter() {
                connection.cut_if_idle();
            }
        }
    }

    /// The current view. Exchanges ask for it when they begin; the first after a swap makes the new one.
    fn view(&self) -> Rc<View> {
        let mut view = self.view.borrow_mut();
        if !self.store.is_current(&view.snapshot) {
            let new = View::new(self.store.load(), Some(&view));
            self.old.borrow_mut().push(OldView::new(&view, self.clock.get()));
            *view = new;
        }
        Rc::clone(&view)
    }

    /// Starts to accept on new listeners and stops on those that are gone.
    fn update_listeners(self: &Rc<Self>) {
        let snapshot = Arc::clone(&self.view.borrow().snapshot);
        let mut listeners = self.listeners.borrow_mut();
        listeners.retain(|known| {
            let wanted = snapshot.listeners.iter().any(|listener| Arc::ptr_eq(listener, &known.bound));
            if !wanted {
                known.close(self.index);
            }
            wanted
        });
        for listener in &snapshot.listeners {
            let sockets = listener.take_sockets(self.index);
            if !sockets.is_empty() {
                let stop = CancellationToken::new();
                let accept = |socket| self.accept(listener, socket, &stop);
                let accepting = sockets.into_iter().filter_map(accept).collect();
                listeners.push(OpenListener { bound: Arc::clone(listener), stop, accepting });
            }
        }
    }

    fn accept(
        self: &Rc<Self>,
        listener: &Arc<BoundListener>,
        socket: std::net::TcpListener,
        stop: &CancellationToken,
    ) -> Option<tokio::task::JoinHandle<()>> {
        let socket = tokio::net::TcpListener::from_std(socket);
        let failed =
            |error: &io::Error| tracing::error!(listener = &*listener.name, %error, "cannot accept on a socket");
        let mut accepting = Accepting { worker: Rc::clone(self), listener: Arc::clone(listener), settings: None };
        let stop = stop.clone();
        let run = |socket| async move { accept(socket, stop, &mut accepting).await };
        socket.inspect_err(failed).ok().map(|socket| tokio::task::spawn_local(run(socket)))
    }

    /// Room for a connection, if there is any; otherwise it is to be closed at once.
    fn admit(&self, arrival: &Arrival) -> Option<Admitted> {
        let view = self.view.borrow();
        let mut bounds = view.snapshot.bounds;
        if arrival.settings.options.proxy_protocol.is_some() {
            // The address is that of a proxy, which brings the connections of many.
            bounds.per_address = None;
        }
        let admitted = view.snapshot.admission.connect(arrival.address.ip(), &bounds);
        admitted.inspect_err(|refusal| refused(&view, *refusal)).ok()
    }

    fn serve(self: &Rc<Self>, arrival: Arrival) {
        let Some(admitted) = self.admit(&arrival) else { return };
        let connection = Rc::new(Connection::new(Rc::clone(&self.clock), self.drain.child_token()));
        let open = OpenConnection::new(Rc::clone(self), Rc::clone(&connection), admitted);
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
        self.cut_old(&view);
    }

    /// Cuts exchanges that began too long ago on something that is served no longer.
    fn cut_old(&self, view: &View) {
        let mut old = self.old.borrow_mut();
        old.retain(|old| old.view.strong_count() > 0);
        let bound = view.snapshot.limits.old_versions.as_secs();
        let is_overdue = |old: &OldView| u64::from(self.clock.get().wrapping_sub(old.since)) > bound;
        let Some(overdue) = old.iter().filter(|old| !old.cut && is_overdue(old)).map(|old| old.generation).max() else {
            return;
        };
        old.iter_mut().filter(|old| old.generation <= overdue).for_each(|old| old.cut = true);
        let exchanges: u32 = self.connections.borrow().iter().map(|connection| connection.cut_until(overdue)).sum();
        view.snapshot.metrics.gateway.cut_for_age(exchanges);
        tracing::warn!(generation = overdue, exchanges, "exchanges cut: what they began on is served no longer");
    }

    async fn connections_gone(&self) {
        while !self.connections.borrow().is_empty() {
            self.idle.notified().await;
        }
    }
}

/// A view that is not the current one any more.
struct OldView {
    view: Weak<View>,
    generation: u64,
    since: u32,
    /// Whether its exchanges have been cut.
    cut: bool,
}

impl OldView {
    fn new(view: &Rc<View>, since: u32) -> Self {
        Self { view: Rc::downgrade(view), generation: view.snapshot.generation, since, cut: false }
    }
}

/// A listener that this worker accepts on.
struct OpenListener {
    bound: Arc<BoundListener>,
    stop: CancellationToken,
    accepting: Vec<tokio::task::JoinHandle<()>>,
}

impl OpenListener {
    fn close(&self, worker: usize) {
        self.stop.cancel();
        self.bound.close(worker);
    }
}

/// What comes of accepting on a listener.
struct Accepting {
    worker: Rc<Worker>,
    listener: Arc<BoundListener>,
    /// Those that the last connections of a listener that goes away are served with.
    settings: Option<Arc<ListenerSettings>>,
}

impl Accepted for Accepting {
    fn serve(&mut self, stream: TcpStream, address: SocketAddr) {
        self.settings = self.worker.view().snapshot.settings_of(&self.listener).cloned().or(self.settings.take());
        if let Some(settings) = self.settings.clone() {
            self.worker.serve(Arrival { stream, address, listener: Arc::clone(&self.listener), settings });
        }
    }

    fn failed(&mut self, error: &io::Error) {
        if let Some(held_back) = self.worker.view.borrow().snapshot.metrics.gateway.accept_error() {
            tracing::warn!(listener = &*self.listener.name, %error, held_back, "a connection could not be accepted");
        }
    }

    fn make_room(&mut self) {
        self.worker.view.borrow().release_idle();
        self.worker.connections.borrow().iter().any(|connection| connection.cut_if_idle());
    }

    fn closed(&mut self, connections: usize) {
        (0..connections).for_each(|_| refused(&self.worker.view.borrow(), Refusal::ConnectionDescriptors));
    }
}

fn refused(view: &View, refusal: Refusal) {
    if let Some(held_back) = view.snapshot.metrics.gateway.refused(refusal) {
        tracing::warn!(reason = refusal.label(), held_back, "connections are closed at once");
    }
}

/// Keeps a connection among the worker's for as long as its task lives.
struct OpenConnection {
    worker: Rc<Worker>,
    connection: Rc<Connection>,
    _admitted: Admitted,
}

impl OpenConnection {
    fn new(worker: Rc<Worker>, connection: Rc<Connection>, admitted: Admitted) -> Self {
        let mut connections = worker.connections.borrow_mut();
        connection.set_place(connections.len());
        connections.push(Rc::clone(&connection));
        drop(connections);
        worker.view.borrow().snapshot.metrics.gateway.connection_opened();
        Self { worker, connection, _admitted: admitted }
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
