//! Writes down what each hook was given, what it answered and what that cost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use rustix::time::{ClockId, clock_gettime};

use crate::chain::{CalledOut, HookAnswer, HookCall, Policy, Record, Recorder};
use crate::message::{Exchange, Message, Principal};
use crate::sandbox::{BodyStep, Fault, Found, HeadStep, Subscription, TrailersStep, host_calls};
use crate::telemetry::FilterMetrics;

/// One call of a hook.
#[derive(Clone, Debug, Default)]
pub(super) struct Hook {
    /// The policy.
    pub(super) policy: String,
    /// Its name in the interface.
    pub(super) name: &'static str,
    /// What it was given, a line for each fact or field.
    pub(super) given: Vec<String>,
    /// What it answered, in a word or two.
    pub(super) answer: String,
    /// What it has done, in order: lines of its log, callouts, and what it has found in stores.
    pub(super) does: Vec<String>,
    /// What has changed in the exchange.
    pub(super) changes: Vec<String>,
    /// Its fault.
    pub(super) fault: Option<Fault>,
    /// How often it has called the gateway.
    pub(super) calls: u64,
    /// The CPU time that it took.
    pub(super) cpu: Duration,
    /// The most memory that an instance of the policy has had until then, in bytes.
    pub(super) memory: u64,
}

/// Follows all exchanges of some policies.
#[derive(Default)]
pub(super) struct TestRecorder {
    hooks: Arc<Mutex<Vec<Hook>>>,
}

struct TestRecord {
    hooks: Arc<Mutex<Vec<Hook>>>,
    policy: String,
    /// The place of its latest hook.
    at: usize,
    metrics: Arc<FilterMetrics>,
    subscription: Subscription,
    before: State,
    message: Message,
    started: Duration,
    calls: u64,
}

/// What a hook can change.
#[derive(Default)]
struct State(Vec<(String, String)>);

impl TestRecorder {
    pub(super) fn take(&self) -> Vec<Hook> {
        std::mem::take(&mut self.hooks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How a line of the log begins.
const LOG: &str = "log    ";

impl TestRecorder {
    /// What a filter logs belongs to the hook that was called last.
    pub(super) fn logged(&self, line: &str) {
        if let Some(hook) = self.hooks.lock().unwrap_or_else(PoisonError::into_inner).last_mut() {
            hook.does.push(format!("{LOG}{line}"));
        }
    }
}

impl Recorder for TestRecorder {
    fn begin(&self, policy: &Policy) -> Box<dyn Record> {
        Box::new(TestRecord {
            hooks: Arc::clone(&self.hooks),
            policy: policy.name.to_string(),
            at: 0,
            metrics: Arc::clone(&policy.metrics),
            subscription: policy.filter.subscription.clone(),
            before: State::default(),
            message: Message::Request,
            started: Duration::ZERO,
            calls: 0,
        })
    }
}

impl Record for TestRecord {
    fn before(&mut self, call: HookCall<'_>, exchange: &Exchange) {
        let given = match call {
            HookCall::Head(message) => facts(&self.subscription, message, exchange),
            HookCall::Body { piece, last, .. } => {
                vec![format!("{} bytes{}: {}", piece.len(), if last { ", the last" } else { "" }, shown(piece))]
            }
            HookCall::Trailers(_, trailers) => lines(trailers),
            HookCall::End => Vec::new(),
        };
        if let HookCall::Head(message) | HookCall::Body { message, .. } | HookCall::Trailers(message, _) = call {
            self.message = message;
        }
        self.before = match call {
            HookCall::Trailers(_, trailers) => State::of_fields(trailers),
            _ => State::of(exchange, self.message),
        };
        let hook = Hook { policy: self.policy.clone(), name: call.name(), given, ..Hook::default() };
        self.at = {
            let mut hooks = self.hooks();
            hooks.push(hook);
            hooks.len() - 1
        };
        self.calls = host_calls();
        self.started = cpu();
    }

    fn answered(&mut self, answer: HookAnswer<'_>, exchange: &Exchange) {
        let took = cpu().saturating_sub(self.started);
        let after = match answer {
            HookAnswer::Trailers(_, trailers) => State::of_fields(trailers),
            _ => State::of(exchange, self.message),
        };
        let changes = self.before.changes(&after);
        self.finish(took, |hook| {
            hook.answer = describe(answer);
            hook.changes = changes;
        });
    }

    fn faulted(&mut self, fault: &Fault) {
        let took = cpu().saturating_sub(self.started);
        self.finish(took, |hook| hook.fault = Some(fault.clone()));
    }

    fn called_out(&mut self, called: &CalledOut<'_>) {
        let answer = match called.answer {
            Ok(response) => format!("{}, {} bytes", response.status.as_u16(), response.body.len()),
            Err(error) => error.label().to_owned(),
        };
        let line = format!("call   {} {} of {}: {answer}", called.method, called.uri, called.upstream);
        self.note(|hook| hook.does.push(line));
    }

    fn found(&mut self, found: &Found) {
        let space = if found.space.is_empty() { String::new() } else { format!("{}: ", found.space) };
        let value = found.value.as_ref().map_or_else(|| "nothing".to_owned(), |value| shown(value));
        let lease = if found.is_leased { ", leased" } else { "" };
        let line = format!("store  {space}{} was {value}{lease}", shown(&found.key));
        // It is told of when the hook has ended.
        self.note(|hook| {
            let mut later =
                (0..hook.does.len()).filter(|at| hook.does[*at].starts_with(LOG)).skip(found.logged as usize);
            let at = later.next().unwrap_or(hook.does.len());
            hook.does.insert(at, line);
        });
    }
}

impl TestRecord {
    fn hooks(&self) -> std::sync::MutexGuard<'_, Vec<Hook>> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Hook)) {
        if let Some(hook) = self.hooks().get_mut(self.at) {
            note(hook);
        }
    }

    fn finish(&self, took: Duration, note: impl FnOnce(&mut Hook)) {
        self.note(|hook| {
            hook.cpu = hook.cpu.max(took);
            hook.calls = host_calls() - self.calls;
            hook.memory = self.metrics.memory_high_water();
            note(hook);
        });
    }
}

impl State {
    fn of(exchange: &Exchange, message: Message) -> Self {
        let mut state = match exchange.fields(message) {
            Some(fields) => Self::of_fields(fields),
            None => Self::default(),
        };
        match message {
            Message::Request => {
                state.push(":method", exchange.request.method.as_str());
                state.push(":path", exchange.path_and_query());
            }
            Message::Response => {
                state.push(":status", exchange.response.as_ref().map_or("", |head| head.status.as_str()));
            }
        }
        if let Some(consumer) = exchange.context.consumer() {
            state.push("@consumer", &shown(consumer.as_bytes()));
        }
        for (name, value) in &exchange.context.attributes {
            state.push(&format!("@attr:{name}"), &shown(value.as_bytes()));
        }
        if let Some(class) = &exchange.context.class {
            state.push("@class", &shown(class.as_bytes()));
        }
        if let Some(principal) = &exchange.context.principal {
            state.push_principal(principal);
        }
        state
    }

    fn of_fields(fields: &HeaderMap) -> Self {
        let names = fields.keys().map(|name| {
            let values: Vec<_> = fields.get_all(name).iter().map(HeaderValue::as_bytes).map(shown).collect();
            (name.to_string(), values.join(" | "))
        });
        Self(names.collect())
    }

    fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn push_principal(&mut self, principal: &Principal) {
        let joined = |values: &[HeaderValue]| values.iter().map(HeaderValue::as_bytes).map(shown).collect::<Vec<_>>();
        self.push("@subject", &shown(principal.subject.as_bytes()));
        if let Some(issuer) = &principal.issuer {
            self.push("@issuer", &shown(issuer.as_bytes()));
        }
        for (name, values) in [("@scopes", &principal.scopes), ("@groups", &principal.groups)] {
            if !values.is_empty() {
                self.push(name, &joined(values).join(" | "));
            }
        }
        for (name, value) in &principal.claims {
            self.push(&format!("@claim:{name}"), &shown(value.as_bytes()));
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn changes(&self, after: &Self) -> Vec<String> {
        let gone =
            self.0.iter().filter(|(name, _)| after.get(name).is_none()).map(|(name, _)| format!("{name} removed"));
        let new = after.0.iter().filter(|(name, value)| self.get(name) != Some(value));
        gone.chain(new.map(|(name, value)| format!("{name} = {value}"))).collect()
    }
}

fn facts(subscription: &Subscription, message: Message, exchange: &Exchange) -> Vec<String> {
    let fact = |fact: &crate::message::Fact| {
        let mut value = Vec::new();
        let is_there = fact.write(exchange, message, &mut value);
        if is_there { format!("{fact} = {}", shown(&value)) } else { format!("{fact} is absent") }
    };
    subscription.facts(message).iter().map(fact).collect()
}

fn lines(fields: &HeaderMap) -> Vec<String> {
    fields.iter().map(|(name, value)| format!("{name} = {}", shown(value.as_bytes()))).collect()
}

fn describe(answer: HookAnswer<'_>) -> String {
    match answer {
        HookAnswer::Head(HeadStep::Reply(reply))
        | HookAnswer::Body(BodyStep::Reply(reply), _)
        | HookAnswer::Trailers(TrailersStep::Reply(reply), _) => {
            format!("reply {}", reply.status().as_u16())
        }
        HookAnswer::Body(BodyStep::Abort, _) | HookAnswer::Trailers(TrailersStep::Abort, _) => "abort".to_owned(),
        HookAnswer::Head(HeadStep::Forward) => "forward".to_owned(),
        HookAnswer::Head(HeadStep::Hold) => "hold".to_owned(),
        HookAnswer::Body(step, release) => {
            let step = match step {
                BodyStep::End(content) => format!("end with {} bytes: {}", content.len(), shown(content)),
                BodyStep::Replace(content) => format!("replace by {} bytes: {}", content.len(), shown(content)),
                _ => "pass".to_owned(),
            };
            if release { step + ", release" } else { step }
        }
        HookAnswer::Trailers(..) | HookAnswer::End => "done".to_owned(),
    }
}

/// How much of a value is shown.
const SHOWN: usize = 200;

/// Bytes as text in one line, cut where they are many.
pub(super) fn shown(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(SHOWN)];
    let text = match std::str::from_utf8(head) {
        Ok(text) if !text.chars().any(char::is_control) => format!("\"{text}\""),
        _ => format!("\"{}\"", head.escape_ascii()),
    };
    if bytes.len() > SHOWN { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}
