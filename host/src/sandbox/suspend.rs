//! Calls that wait for something outside the sandbox. They run on a stack of their own, and an import that has to wait
//! suspends them: it leaves an errand, which whoever drives the call carries out on its own thread and with its own means,
//! and goes on with the answer.
//!
//! While a call is suspended its exchange is back with its owner, so others may look at it meanwhile.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use wasmtime::{Result, bail, format_err};

use super::callout::{Callout, CalloutError, CalloutResponse};
use super::engine::EpochClock;
use super::instance::{HostState, Running};
use crate::message::Exchange;

/// A future of one thread.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// What a call that may wait is surrounded by: its exchange, and means to reach the outside.
pub trait Surroundings {
    /// Lends the exchange for as long as the call runs without waiting; none if it is not on behalf of one.
    fn lend(&self) -> Option<Box<Exchange>>;

    /// Takes the exchange back.
    fn take_back(&self, exchange: Box<Exchange>);

    /// Sends what can be sent, all at once; the answers come in the same order.
    fn call_out(
        &self,
        callouts: Vec<Result<Callout, CalloutError>>,
    ) -> LocalFuture<Vec<Result<CalloutResponse, CalloutError>>>;
}

type Errand = Box<dyn FnOnce(Rc<dyn Surroundings>) -> LocalFuture<()> + Send>;

/// Where a suspended call and its driver leave things for each other. Both are on one thread; wasmtime asks for more.
#[derive(Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Stage>>);

#[derive(Default)]
enum Stage {
    /// The call runs, or there is none.
    #[default]
    Running,
    /// The call waits for an errand that nobody has taken on yet.
    Asked(Errand, Option<Running>),
    /// Somebody is about it.
    UnderWay,
    /// It is done, and the call may go on.
    Done(Option<Running>),
}

impl Desk {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_asked(&self) -> bool {
        matches!(*self.stage(), Stage::Asked(..))
    }

    fn take(&self) -> Option<(Errand, Option<Running>)> {
        match std::mem::replace(&mut *self.stage(), Stage::UnderWay) {
            Stage::Asked(errand, running) => Some((errand, running)),
            _ => None,
        }
    }

    fn resume(&self) -> Poll<Option<Running>> {
        let mut stage = self.stage();
        match std::mem::take(&mut *stage) {
            Stage::Done(running) => Poll::Ready(running),
            other => {
                *stage = other;
                Poll::Pending
            }
        }
    }
}

impl HostState {
    /// Suspends the call until the errand is done. For imports.
    pub(super) async fn wait_for<T: Send + 'static>(
        &mut self,
        errand: impl FnOnce(Rc<dyn Surroundings>) -> LocalFuture<T> + Send + 'static,
    ) -> Result<T> {
        let Some(desk) = self.desk.clone() else {
            bail!("an import that waits was called where no call can wait");
        };
        let answer = Arc::new(Mutex::new(None));
        let place = Arc::clone(&answer);
        let errand: Errand = Box::new(move |around| {
            let answer = errand(around);
            Box::pin(async move {
                let answer = answer.await;
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            })
        });
        self.deadline.pause();
        *desk.stage() = Stage::Asked(errand, self.running.take());
        self.running = poll_fn(|_| desk.resume()).await;
        self.deadline.resume();
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.ok_or_else(|| format_err!("an errand ended without an answer"))
    }
}

/// Drives a call to its end, with the errands that it asks for. The epoch only passes while it runs.
pub(super) async fn drive<T>(
    call: impl Future<Output = T>,
    desk: &Desk,
    clock: &EpochClock,
    around: &Rc<dyn Surroundings>,
) -> T {
    let mut call = pin!(call);
    loop {
        let ended = poll_fn(|context| {
            let _running = clock.enter();
            match call.as_mut().poll(context) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending if desk.is_asked() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        if let Some(answer) = ended.await {
            return answer;
        }
        let Some((errand, running)) = desk.take() else { continue };
        let running = running.map(|running| {
            let Running { seat, message, editable, exchange } = running;
            around.take_back(exchange);
            (seat, message, editable)
        });
        errand(Rc::clone(around)).await;
        let running = running.and_then(|(seat, message, editable)| {
            around.lend().map(|exchange| Running { seat, message, editable, exchange })
        });
        *desk.stage() = Stage::Done(running);
    }
}

/// The outcome of a call that cannot wait, as there is nobody who would carry errands out.
pub(super) fn at_once<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(call).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => bail!("a call waited where none can wait"),
    }
}
