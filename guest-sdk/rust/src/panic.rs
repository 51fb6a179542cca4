//! Panics of a filter.

use std::panic;

use crate::log;

/// From now on a panic writes its message and place to the gateway's log. Then the filter aborts, which is how the
/// gateway learns of it.
pub(crate) fn report_to_the_log() {
    panic::set_hook(Box::new(|info| {
        let mut message = String::from("panic: ");
        message.push_str(info.payload_as_str().unwrap_or("no message"));
        if let Some(location) = info.location() {
            message.push_str(" at ");
            message.push_str(location.file());
            message.push(':');
            message.push_str(&location.line().to_string());
        }
        log::error(message);
    }));
}
