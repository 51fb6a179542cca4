//! Lines for the author: in colour on a terminal, plain elsewhere, and wherever `NO_COLOR` says so.

use std::io::IsTerminal;

use crate::cli::say;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The gateway itself.
    Gateway,
    /// A module was made.
    Built,
    /// It serves.
    Live,
    /// It could not be made, or not be put there.
    Failed,
    /// The gateway does not take it.
    Refused,
    /// The filter has faulted.
    Fault,
    /// What it logs, by level.
    Error,
    Warn,
    Info,
    Debug,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Built => "built",
            Self::Live => "live",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Fault => "fault",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// As terminals number colours.
    fn colour(self) -> &'static str {
        match self {
            Self::Gateway => "36",
            Self::Built | Self::Debug => "2",
            Self::Live => "1;32",
            Self::Failed | Self::Refused | Self::Fault => "1;31",
            Self::Error => "31",
            Self::Warn => "33",
            Self::Info => "34",
        }
    }

    /// Of a level in an event.
    pub(super) fn of_level(level: &str) -> Self {
        match level {
            "error" => Self::Error,
            "warn" => Self::Warn,
            "debug" => Self::Debug,
            _ => Self::Info,
        }
    }
}

/// How lines look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    colours: bool,
}

impl Paint {
    pub(super) fn of_terminal() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colours: wanted && std::io::stdout().is_terminal() }
    }

    /// A line; what of the text is in further lines stands below its beginning.
    pub(super) fn line(self, kind: Kind, text: &str) {
        say(&self.painted(kind, text));
    }

    fn painted(self, kind: Kind, text: &str) -> String {
        let (label, indent) = (kind.label(), " ".repeat(9));
        // A filter's text must not move the cursor.
        let plain: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
        let text = plain.trim_end().replace('\n', &format!("\n{indent}"));
        match self.colours {
            true => format!("\u{1b}[{}m{label:<8}\u{1b}[0m {text}", kind.colour()),
            false => format!("{label:<8} {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_and_no_text_escapes() {
        let plain = Paint { colours: false }.painted(Kind::Live, "a\n b\u{1b}[31m");
        assert_eq!(plain, "live     a\n          b [31m");
        assert_eq!(Paint { colours: true }.painted(Kind::Warn, "a"), "\u{1b}[33mwarn    \u{1b}[0m a");
    }
}
