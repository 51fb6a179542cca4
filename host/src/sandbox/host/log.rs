//! Lines of a filter's log.

use crate::sandbox::bindings::tollgate::filter::log::Level;
use crate::sandbox::instance::HostState;

/// The longest log message, in bytes.
const LOG_BYTES: usize = 4 << 10;

impl HostState {
    /// One line of a filter's log. Lines above the bound are dropped.
    pub(in crate::sandbox) fn log(&mut self, level: Level, mut message: String) {
        let Some(left) = self.log_lines_left.checked_sub(1) else { return };
        self.log_lines_left = left;
        message.truncate(message.floor_char_boundary(LOG_BYTES));
        let policy = &*self.policy;
        match level {
            Level::Error => tracing::error!(policy, "{message}"),
            Level::Warn => tracing::warn!(policy, "{message}"),
            Level::Info => tracing::info!(policy, "{message}"),
            Level::Debug => tracing::debug!(policy, "{message}"),
        }
        if level == Level::Error {
            self.last_words = Some(message);
        }
    }
}
