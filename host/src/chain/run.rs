//! One exchange's way through a chain.

use std::cell::{OnceCell, RefCell};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, response};
use smallvec::SmallVec;

use super::fault::{answer, weigh};
use super::local::{Link, LocalChain, LocalFilter, Place};
use super::policy::FaultAnswer;
use super::quarantine::Admittance;
use super::record::{HookAnswer, HookCall, Record};
use super::shadow::{self, OnLooker};
use crate::message::{Body, Exchange, Message, Reply, RequestHead};
use crate::sandbox::{Carrier, Fault, FaultClass, Found, HeadStep, Instance, Remembered, Seat, Spent};
use crate::telemetry::{Attribute, CostMetrics, OpenSpan, SpanKind, Trace};

/// What the request hooks decided.
#[must_use]
pub enum Step {
    /// The request goes to the upstream, with this body.
    Forward(Body),
    /// The client gets this.
    Reply(Reply),
    /// Nobody gets anything more.
    Abort,
}

/// What a body hook decided about an exchange whose request is on its way already.
pub enum Verdict {
    /// The client gets this.
    Reply(Reply),
    /// It gets what the policy of a filter that faulted says.
    Denied(Denied),
    /// It gets nothing.
    Abort,
}

/// A filter cuts the exchange before the response's head has gone.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a filter cuts the exchange")]
pub struct Aborted;

/// A filter faulted, and its policy says that the exchange is denied then.
#[derive(Clone, Debug, thiserror::Error)]
#[error("policy {policy} faulted")]
pub struct Denied {
    /// The policy.
    pub policy: Arc<str>,
    /// What the client gets.
    pub status: StatusCode,
}

/// An exchange in a chain, from its route to the end of its response. Body hooks hold it too, so it ends with the last
/// body; filters are told then.
#[derive(Clone)]
pub struct Run(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) filters: LocalChain,
    /// What takes callouts out, if there is anything.
    pub(super) carrier: Option<Rc<dyn Carrier>>,
    pub(super) state: RefCell<State>,
    /// The trace that hooks are recorded in, if they are.
    trace: OnceCell<Rc<Trace>>,
}

pub(super) struct State {
    /// Away only while a hook looks at it.
    pub(super) exchange: Option<Box<Exchange>>,
    places: SmallVec<[Visit; 4]>,
    /// How many filters the request has passed.
    passed: usize,
    /// A body hook's decision about an exchange whose request is on its way already.
    verdict: Option<Verdict>,
    /// Whether body hooks may read the response's head after it has gone.
    keeps_response: bool,
    /// Of the filters that somebody follows, by their index.
    records: Vec<(usize, Box<dyn Record>)>,
    /// How it stands with versions that only look on.
    pub(super) shadows: Vec<OnLooker>,
    /// Whether all hooks are measured.
    exact: bool,
    /// Of the hook that runs, if it is recorded.
    span: Option<OpenSpan>,
}

/// How an exchange stands with one filter.
#[derive(Default)]
struct Visit {
    place: Option<Place>,
    /// Left out after a fault that its policy bypasses.
    bypassed: bool,
    /// Shows whether the filter is well again.
    probe: bool,
    /// Counts among the policy's open exchanges.
    open: bool,
    /// CPU time of its hooks so far, where all are measured.
    cpu: Duration,
}

impl Run {
    /// Begins a run of an exchange over the given filters.
    #[must_use]
    pub fn new(filters: LocalChain, exchange: Box<Exchange>) -> Self {
        Self::reaching(filters, exchange, None)
    }

    /// As `new`, with what takes callouts of its filters out.
    #[must_use]
    pub fn reaching(filters: LocalChain, exchange: Box<Exchange>, carrier: Option<Rc<dyn Carrier>>) -> Self {
        let places = filters.iter().map(|_| Visit::default()).collect();
        let state = State {
            exchange: Some(exchange),
            places,
            passed: 0,
            verdict: None,
            keeps_response: false,
            records: Vec::new(),
            shadows: Vec::new(),
            exact: false,
            span: None,
        };
        Self(Rc::new(Inner { filters, carrier, trace: OnceCell::new(), state: RefCell::new(state) }))
    }

    /// Looks at the exchange between hooks.
    pub fn with<T>(&self, look: impl FnOnce(&mut Exchange) -> T) -> T {
        let mut state = self.0.state.borrow_mut();
        // Hooks put it back before they return, and none is running here.
        #[allow(clippy::expect_used, reason = "see above")]
        let exchange = state.exchange.as_mut().expect("no hook is running");
        look(exchange)
    }

    /// What a body hook decided while the request was on its way to the upstream.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.0.state.borrow_mut().verdict.take()
    }

    pub(super) fn decide(&self, verdict: Verdict) {
        self.0.state.borrow_mut().verdict.get_or_insert(verdict);
    }

    pub(super) fn filter(&self, index: usize) -> &Rc<LocalFilter> {
        &self.0.filters[index].filter
    }

    /// What a filter costs on this route.
    pub(super) fn cost(&self, index: usize) -> &CostMetrics {
        &self.0.filters[index].cost
    }

    /// Records each hook as a span of that trace.
    pub fn record(&self, trace: &Rc<Trace>) {
        let _ = self.0.trace.set(Rc::clone(trace));
    }

    /// Measures all hooks of this exchange.
    pub fn measure(&self) {
        self.0.state.borrow_mut().exact = true;
    }

    /// The CPU time of each filter's hooks, if the exchange is measured; filters that it has not come to are left out.
    #[must_use]
    pub fn measured(&self) -> Vec<(Arc<str>, Duration)> {
        let state = self.0.state.borrow();
        let visits = self
            .0
            .filters
            .iter()
            .zip(&state.places)
            .filter(|(_, visit)| visit.place.is_some() || visit.cpu > Duration::ZERO);
        visits.map(|(link, visit)| (Arc::clone(&link.filter.policy.name), visit.cpu)).collect()
    }

    /// The exchange has ended with that status, if it had one. Counted for the versions on trial that it has come to, and for
    /// those that they are compared with.
    pub fn ended(&self, status: Option<StatusCode>) {
        let state = self.0.state.borrow();
        let come_to = self.0.filters.iter().zip(&state.places).take(state.passed + 1);
        for (link, visit) in come_to {
            let Some(figures) = &link.figures else { continue };
            figures.ended(status);
            if state.exact && !visit.bypassed {
                figures.took(visit.cpu);
            }
        }
    }

    pub(super) fn passed(&self) -> usize {
        self.0.state.borrow().passed
    }

    pub(super) fn set_passed(&self, passed: usize) {
        self.0.state.borrow_mut().passed = passed;
    }

    pub(super) fn is_bypassed(&self, index: usize) -> bool {
        self.0.state.borrow().places[index].bypassed
    }

    /// Whether the exchange is to be shown to a filter at all.
    ///
    /// # Errors
    /// If the filter is in quarantine, and its policy denies exchanges then, or if the policy has as many as it may have.
    pub(super) fn admit(&self, index: usize) -> Result<(), Denied> {
        let Link { filter, cost, figures, .. } = &self.0.filters[index];
        let policy = &filter.policy;
        cost.exchange();
        if let Some(figures) = figures {
            figures.exchange();
        }
        if let Some(load) = &policy.load {
            self.0.state.borrow_mut().places[index].open = true;
            if !load.begin(&filter.open) {
                policy.metrics.refused();
                return answer(policy, FaultAnswer::Deny(StatusCode::SERVICE_UNAVAILABLE));
            }
        }
        let Some(quarantine) = &policy.quarantine else { return Ok(()) };
        let admittance = quarantine.admit();
        let visit = &mut self.0.state.borrow_mut().places[index];
        match admittance {
            Admittance::Called => Ok(()),
            Admittance::Probe => {
                visit.probe = true;
                Ok(())
            }
            Admittance::Instead(instead) => {
                visit.bypassed = true;
                answer(policy, instead)
            }
        }
    }

    /// Calls a filter's head hook. A fault that its policy bypasses counts as `Forward`.
    pub(super) fn head(&self, index: usize, message: Message) -> Result<HeadStep, Denied> {
        let subscription = &self.filter(index).policy.filter.subscription;
        let remembered = self.remembered(index);
        if let Some(remembered) = remembered
            && let Some(step) = self.recall(index, message, remembered)
        {
            return self.head_answered(index, step);
        }
        self.before(index, HookCall::Head(message));
        let shadowed = self.shadow(index, message);
        let step = self.call(index, |instance, seat, exchange| {
            let mut remembered = remembered.map(RefCell::borrow_mut);
            instance.on_head_remembered(seat, message, exchange, subscription, remembered.as_deref_mut())
        });
        if let Some(shadowed) = shadowed {
            self.compare(index, message, shadowed, &step);
        }
        self.head_answered(index, step)
    }

    /// What is remembered of a filter's answers, unless somebody wants to see its hooks called.
    fn remembered(&self, index: usize) -> Option<&RefCell<Remembered>> {
        let Link { filter, shadow, .. } = &self.0.filters[index];
        let remembered = filter.remembered.as_ref()?;
        let state = self.0.state.borrow();
        let is_seen = self.0.trace.get().is_some() || filter.policy.recorder.is_some() || shadow.is_some();
        (!is_seen && !state.exact && !state.places[index].probe).then_some(remembered)
    }

    /// A head hook's answer without a call, if it is known.
    fn recall(
        &self,
        index: usize,
        message: Message,
        remembered: &RefCell<Remembered>,
    ) -> Option<Result<HeadStep, Fault>> {
        let policy = &self.filter(index).policy;
        let step = self.with(|exchange| remembered.borrow_mut().recall(&policy.filter, exchange, message))?;
        policy.metrics.remembered();
        Some(step)
    }

    /// What comes of a head hook's answer.
    pub(super) fn head_answered(&self, index: usize, step: Result<HeadStep, Fault>) -> Result<HeadStep, Denied> {
        match step {
            Ok(step) => {
                self.answered(index, HookAnswer::Head(&step));
                if matches!(step, HeadStep::Reply(_)) {
                    self.filter(index).policy.metrics.replied();
                    self.cost(index).replied();
                }
                Ok(step)
            }
            Err(fault) => self.weigh(index, &fault).map(|()| HeadStep::Forward),
        }
    }

    /// The head waits where the filter sees the whole body at once.
    pub(super) fn wait_for_whole(&self, index: usize, message: Message, step: HeadStep, body: &Body) -> HeadStep {
        let waits = matches!(step, HeadStep::Forward)
            && self.filter(index).policy.filter.subscription.whole(message)
            && !matches!(body, Body::Empty)
            && !self.is_bypassed(index);
        if waits { HeadStep::Hold } else { step }
    }

    /// Calls into a filter's instance with the exchange at hand.
    pub(super) fn call<T>(
        &self,
        index: usize,
        hook: impl FnOnce(&mut Instance, Seat, Box<Exchange>) -> (Box<Exchange>, Result<T, Fault>),
    ) -> Result<T, Fault> {
        let mut state = self.0.state.borrow_mut();
        let State { exchange, places, exact, records, .. } = &mut *state;
        let Visit { place, cpu, .. } = &mut places[index];
        let link = &self.0.filters[index];
        let left = left(link, *cpu)?;
        let mut spent = None;
        let follows = link.filter.policy.recorder.is_some();
        let answer = link.filter.call(place, |instance, seat| {
            if *exact || left.is_some() {
                instance.measure(left);
            }
            #[allow(clippy::expect_used, reason = "hooks run one at a time, and each puts the exchange back")]
            let taken = exchange.take().expect("no hook is running");
            let (back, answer) = hook(instance, seat, taken);
            *exchange = Some(back);
            spent = instance.spent();
            if follows {
                let found = instance.found();
                of_filter(records, index, |record| found.iter().for_each(|found| record.found(found)));
            }
            answer
        });
        charge(link, cpu, spent, answer)
    }

    /// Whether a filter's hooks may wait.
    pub(super) fn waits(&self, index: usize) -> bool {
        self.filter(index).policy.filter.module.suspends
    }

    /// Lends the exchange to a hook that may wait.
    pub(super) fn lend(&self) -> Option<Box<Exchange>> {
        self.0.state.borrow_mut().exchange.take()
    }

    /// Takes it back.
    pub(super) fn take_back(&self, exchange: Box<Exchange>) {
        self.0.state.borrow_mut().exchange = Some(exchange);
    }

    pub(super) fn with_place<T>(&self, index: usize, look: impl FnOnce(&mut Option<Place>) -> T) -> T {
        look(&mut self.0.state.borrow_mut().places[index].place)
    }

    /// How much CPU time a hook that may wait can use, if that is bounded for the exchange.
    pub(super) fn budget(&self, index: usize) -> Result<Option<Duration>, Fault> {
        left(&self.0.filters[index], self.0.state.borrow().places[index].cpu)
    }

    /// Counts what such a hook has used.
    pub(super) fn charge<T>(&self, index: usize, spent: Option<Spent>, answer: Result<T, Fault>) -> Result<T, Fault> {
        charge(&self.0.filters[index], &mut self.0.state.borrow_mut().places[index].cpu, spent, answer)
    }

    /// Tells whoever follows the filter what a hook that may wait has found.
    pub(super) fn found(&self, index: usize, found: &[Found]) {
        self.tell(index, |record| found.iter().for_each(|found| record.found(found)));
    }

    /// Tells whoever follows the filter, if anybody does.
    pub(super) fn tell(&self, index: usize, what: impl FnOnce(&mut dyn Record)) {
        of_filter(&mut self.0.state.borrow_mut().records, index, what);
    }

    /// Counts a fault and asks the filter's policy; a bypassed filter is not called again for this exchange.
    pub(super) fn weigh(&self, index: usize, fault: &Fault) -> Result<(), Denied> {
        let state = &mut *self.0.state.borrow_mut();
        state.places[index].bypassed = true;
        if let Some(mut span) = state.span.take() {
            span.say("error.type", || Attribute::Text(fault.class.label().to_owned()));
            span.end(true);
        }
        of_filter(&mut state.records, index, |record| record.faulted(fault));
        let Link { filter, cost, figures, .. } = &self.0.filters[index];
        cost.faulted(fault.class);
        figures.iter().for_each(|figures| figures.faulted(fault.class));
        weigh(&filter.policy, fault)
    }

    /// Tells whoever follows the filter that a hook is about to be called.
    pub(super) fn before(&self, index: usize, call: HookCall<'_>) {
        if let Some(trace) = self.0.trace.get() {
            let name = || format!("{} {}", self.filter(index).policy.name, call.name());
            self.0.state.borrow_mut().span = Some(trace.span(SpanKind::Internal, name));
        }
        if let Some(recorder) = &self.filter(index).policy.recorder {
            let State { exchange, records, .. } = &mut *self.0.state.borrow_mut();
            if records.iter().all(|(of, _)| *of != index) {
                records.push((index, recorder.begin(&self.filter(index).policy)));
            }
            tell(exchange.as_deref(), records, index, |record, exchange| record.before(call, exchange));
        }
    }

    /// And that it has answered.
    pub(super) fn answered(&self, index: usize, answer: HookAnswer<'_>) {
        if self.0.trace.get().is_some()
            && let Some(span) = self.0.state.borrow_mut().span.take()
        {
            span.end(false);
        }
        if self.filter(index).policy.recorder.is_some() {
            let State { exchange, records, places, .. } = &mut *self.0.state.borrow_mut();
            self.filter(index).note_memory(places[index].place.as_ref());
            tell(exchange.as_deref(), records, index, |record, exchange| record.answered(answer, exchange));
        }
    }

    /// The request's head for the way to the upstream. It comes back for the response hooks, whatever becomes of the call; a
    /// copy does not, as the head has stayed here.
    pub fn lend_request(&self, copy: bool) -> Lent<'_> {
        let head = self.with(|exchange| match copy {
            true => exchange.request.clone(),
            false => std::mem::take(&mut exchange.request),
        });
        Lent { run: self, head, copy }
    }

    /// Hooks that are called after the response's head has gone may read it.
    pub(super) fn keep_response(&self) {
        self.0.state.borrow_mut().keeps_response = true;
    }

    pub(super) fn put_response(&self, head: response::Parts) {
        self.with(|exchange| exchange.response = Some(head));
    }

    pub(super) fn take_response(&self) -> response::Parts {
        // `put_response` came first, and hooks cannot remove a head.
        let keep = self.0.state.borrow().keeps_response;
        let head = self.with(|exchange| if keep { exchange.response.clone() } else { exchange.response.take() });
        #[allow(clippy::expect_used, reason = "see above")]
        head.expect("a response was put there")
    }
}

/// There is nothing left of what an exchange may use.
fn used_up(bound: Option<Duration>) -> Fault {
    let message = format!("the exchange's hooks used more than {:?} of CPU time together", bound.unwrap_or_default());
    Fault::new(FaultClass::Deadline, message)
}

/// What an exchange that has used so much may still use of a filter's CPU time, if that is bounded.
fn left(link: &Link, used: Duration) -> Result<Option<Duration>, Fault> {
    let bound = link.filter.policy.filter.settings.exchange_cpu;
    match bound.map(|bound| bound.saturating_sub(used)) {
        Some(Duration::ZERO) => Err(used_up(bound)),
        left => Ok(left),
    }
}

/// Counts what a hook has used; a fault for it may be one of the exchange's bound.
fn charge<T>(link: &Link, used: &mut Duration, spent: Option<Spent>, answer: Result<T, Fault>) -> Result<T, Fault> {
    if let Some(Spent { cpu, host, hooks }) = spent {
        link.cost.spent(cpu * hooks, host * hooks);
        *used += cpu;
    }
    let bound = link.filter.policy.filter.settings.exchange_cpu;
    let is_bound = |fault: &Fault| fault.class == FaultClass::Deadline && bound.is_some_and(|bound| *used >= bound);
    answer.map_err(|fault| if is_bound(&fault) { used_up(bound) } else { fault })
}

/// A request's head while the upstream has it.
pub struct Lent<'a> {
    run: &'a Run,
    head: RequestHead,
    copy: bool,
}

impl Deref for Lent<'_> {
    type Target = RequestHead;

    fn deref(&self) -> &RequestHead {
        &self.head
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut RequestHead {
        &mut self.head
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if !self.copy {
            self.run.with(|exchange| exchange.request = std::mem::take(&mut self.head));
        }
    }
}

/// What an exchange has shown of a filter that is in quarantine, if it was to show anything.
fn probed(filter: &LocalFilter, well: Option<bool>, probe: bool) {
    if probe
        && let Some(well) = well
        && let Some(quarantine) = &filter.policy.quarantine
    {
        quarantine.probed(&filter.policy.name, well);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let State { exchange, places, records, shadows, .. } = self.state.get_mut();
        shadow::leave(&self.filters, shadows);
        for (index, (Link { filter, cost, figures, .. }, visit)) in
            self.filters.iter().zip(places.drain(..)).enumerate()
        {
            if visit.open
                && let Some(load) = &filter.policy.load
            {
                load.end(&filter.open);
            }
            let Some(place) = visit.place else {
                probed(filter, visit.bypassed.then_some(false), visit.probe);
                continue;
            };
            let exchange = exchange.as_deref().filter(|_| filter.policy.filter.subscription.stateful());
            tell(exchange, records, index, |record, exchange| record.before(HookCall::End, exchange));
            let left = filter.leave(place);
            probed(filter, Some(!visit.bypassed && left.is_ok()), visit.probe);
            match left {
                Ok(()) => tell(exchange, records, index, |record, exchange| record.answered(HookAnswer::End, exchange)),
                Err(fault) => {
                    tell(exchange, records, index, |record, _| record.faulted(&fault));
                    cost.faulted(fault.class);
                    figures.iter().for_each(|figures| figures.faulted(fault.class));
                    // Too late for the exchange, whatever the policy says.
                    let _ = weigh(&filter.policy, &fault);
                }
            }
        }
    }
}

/// Looks at the record of a filter, if there is one.
fn of_filter(records: &mut [(usize, Box<dyn Record>)], index: usize, look: impl FnOnce(&mut dyn Record)) {
    if let Some((_, record)) = records.iter_mut().find(|(of, _)| *of == index) {
        look(record.as_mut());
    }
}

/// Tells the record of a filter, if there is one.
fn tell(
    exchange: Option<&Exchange>,
    records: &mut [(usize, Box<dyn Record>)],
    index: usize,
    what: impl FnOnce(&mut dyn Record, &Exchange),
) {
    if let Some(exchange) = exchange {
        of_filter(records, index, |record| what(record, exchange));
    }
}
