//! What a filter writes to the log while a case runs on this thread.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

/// Runs it and gives what filters have logged meanwhile, each line as `level: message`, with its
/// attributes as JSON. `hear` gets each line at once.
pub(super) fn collect<T>(hear: impl Fn(&str) + Send + Sync + 'static, run: impl FnOnce() -> T) -> (T, Vec<String>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let subscriber = registry().with(Lines { all: Arc::clone(&lines), hear: Box::new(hear) });
    let done = tracing::subscriber::with_default(subscriber, run);
    let lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    (done, lines)
}

struct Lines {
    all: Arc<Mutex<Vec<String>>>,
    hear: Box<dyn Fn(&str) + Send + Sync>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // The gateway's own lines are no filter's.
        if !event.metadata().target().starts_with("tollgate::sandbox::host") {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        let level = event.metadata().level().as_str().to_lowercase();
        let line = format!("{level}: {}{}", line.message, line.attributes);
        (self.hear)(&line);
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

#[derive(Default)]
struct Line {
    message: String,
    attributes: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // A string takes what is written to it.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            _ => Ok(()),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "attributes" => self.attributes = format!(" {value}"),
            _ => {}
        }
    }
}
