//! Lines of a filter's log.

use serde_json::{Map, Value, json};

use crate::sandbox::bindings::tollgate::filter::log::Level;
use crate::sandbox::instance::HostState;
use crate::sandbox::meter::host_time;

/// The longest log message, in bytes.
const LOG_BYTES: usize = 4 << 10;
/// How many attributes a message may have, and how long they may be.
pub(in crate::sandbox) const ATTRIBUTES: usize = 16;
const NAME: usize = 64;
const VALUE: usize = 1 << 10;

impl HostState {
    /// One line of a filter's log. Lines above the bounds are dropped.
    pub(in crate::sandbox) fn log<'a>(
        &mut self,
        level: Level,
        message: &str,
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        let _time = host_time();
        let Some(left) = self.log_lines_left.checked_sub(1) else { return };
        self.log_lines_left = left;
        let message = clip(message, LOG_BYTES);
        if level == Level::Error {
            self.last_words = Some(message.to_owned());
        }
        let dropped = if is_written(level) { self.metrics.logs() } else { None };
        let is_heard = self.metrics.feed.is_heard();
        if dropped.is_none() && !is_heard {
            return;
        }
        let attributes = attributes_of(attributes);
        if is_heard {
            self.tell(level, message, attributes.as_ref());
        }
        if let Some(dropped) = dropped {
            self.write_line(level, message, attributes.map(|all| Value::Object(all).to_string()).as_deref(), dropped);
        }
    }

    /// To whoever listens, whatever the log is set to.
    fn tell(&self, level: Level, message: &str, attributes: Option<&Map<String, Value>>) {
        let route = self.running.as_ref().map(|running| &*running.exchange.route);
        self.metrics.feed.tell(&self.policy, || {
            json!({ "event": "log", "level": label(level), "route": route, "message": message, "attributes": attributes })
        });
    }

    fn write_line(&self, level: Level, message: &str, attributes: Option<&str>, dropped: u64) {
        let policy = &*self.policy;
        let exchange = self.running.as_ref().map(|running| &*running.exchange);
        let route = exchange.map(|exchange| &*exchange.route);
        let trace_id = exchange.and_then(|exchange| exchange.trace).map(|trace| format!("{:032x}", trace.trace));
        let dropped = Some(dropped).filter(|dropped| *dropped > 0);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(policy, route, trace_id, attributes, dropped, "{message}")
            };
        }
        match level {
            Level::Error => line!(error),
            Level::Warn => line!(warn),
            Level::Info => line!(info),
            Level::Debug => line!(debug),
        }
    }
}

/// Lines that nobody reads cost nothing of what a policy may write.
fn is_written(level: Level) -> bool {
    match level {
        Level::Error => tracing::enabled!(tracing::Level::ERROR),
        Level::Warn => tracing::enabled!(tracing::Level::WARN),
        Level::Info => tracing::enabled!(tracing::Level::INFO),
        Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
    }
}

fn label(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

/// As one JSON object, if there are any: the log's own fields are those of the gateway.
fn attributes_of<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Map<String, Value>> {
    let attribute = |(name, value)| (clip(name, NAME).to_owned(), Value::from(clip(value, VALUE)));
    let attributes: Map<String, Value> = attributes.into_iter().take(ATTRIBUTES).map(attribute).collect();
    (!attributes.is_empty()).then_some(attributes)
}

fn clip(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
