//! What a filter may define as a metric.

use super::super::names;

/// How long a name may be, in bytes.
const NAME: usize = 64;
/// How long a help text may be, in bytes.
const HELP: usize = 256;
/// How many labels there may be.
const LABELS: usize = 4;
/// How many bounds a histogram may have.
pub(super) const BUCKETS: usize = 16;

/// The bounds of a histogram that does not say any: seconds.
const USUAL: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What only grows.
    Counter,
    /// What goes up and down.
    Gauge,
    /// How often values were within bounds.
    Histogram,
}

impl Kind {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric that can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) help: String,
    pub(super) labels: Vec<String>,
    pub(super) buckets: Vec<f64>,
}

/// Why a metric cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// It breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// The name is in use.
    #[error("{0}")]
    Conflict(String),
    /// The policy has as many as it may have.
    #[error("the policy has as many metrics as it may have")]
    TooMany,
}

impl DefinitionError {
    pub(super) fn other_kind(kind: Kind) -> Self {
        Self::Conflict(format!("there is a {} of that name", kind.label()))
    }
}

impl Definition {
    /// Holds a definition to the rules.
    ///
    /// # Errors
    /// If it breaks one, or the name is that of a metric of the gateway's own.
    pub fn new<'a>(
        kind: Kind,
        name: &str,
        help: &str,
        labels: impl Iterator<Item = &'a str>,
        buckets: Vec<f64>,
    ) -> Result<Self, DefinitionError> {
        let invalid = |message: String| Err(DefinitionError::Invalid(message));
        if !is_name(name) || ["_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end)) {
            return invalid(format!("{:?} is not a name of a metric", clip(name, NAME)));
        }
        let labels: Vec<String> = labels.take(LABELS + 1).map(|label| clip(label, NAME + 1).to_owned()).collect();
        if let Some(wrong) = labels.iter().find(|label| !is_name(label) || matches!(label.as_str(), "policy" | "le")) {
            return invalid(format!("{wrong:?} is not a name of a label"));
        }
        let twice = |index: usize| labels[..index].contains(&labels[index]);
        if labels.len() > LABELS || (0..labels.len()).any(twice) {
            return invalid(format!("there are at most {LABELS} labels, each of them once"));
        }
        let buckets = match kind {
            Kind::Histogram if buckets.is_empty() => USUAL.to_vec(),
            Kind::Histogram => buckets,
            _ if buckets.is_empty() => buckets,
            _ => return invalid("only histograms have buckets".into()),
        };
        let grows = buckets.windows(2).all(|pair| pair[0] < pair[1]) && buckets.iter().all(|bound| bound.is_finite());
        if buckets.len() > BUCKETS || !grows {
            return invalid(format!("there are at most {BUCKETS} buckets, each greater than the one before"));
        }
        let help = clip(help, HELP).replace(char::is_control, " ").replace('\\', "\\\\");
        let definition = Self { kind, name: name.to_owned(), help, labels, buckets };
        if names::OF_FILTERS.contains(&definition.full_name().as_str()) {
            return Err(DefinitionError::Conflict("the gateway has a metric of that name itself".into()));
        }
        Ok(definition)
    }

    /// The name on the page.
    pub(super) fn full_name(&self) -> String {
        format!("tollgate_filter_{}", self.name)
    }

    /// Whether it is the same but for the help text.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.kind == other.kind && self.buckets == other.buckets
    }
}

fn is_name(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= NAME && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(rest)
}

fn clip(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn define(kind: Kind, name: &str, labels: &[&str], buckets: &[f64]) -> Result<Definition, DefinitionError> {
        Definition::new(kind, name, "", labels.iter().copied(), buckets.to_vec())
    }

    #[test]
    fn each_rule_has_its_error() {
        let counter = |name: &str, labels: &[&str]| define(Kind::Counter, name, labels, &[]).unwrap_err().to_string();
        for name in ["", "Hits", "9a", "a-b", "a_sum", "a_bucket", &"a".repeat(65)] {
            assert!(counter(name, &[]).contains("is not a name of a metric"), "{name}");
        }
        for label in ["", "policy", "le", "a b"] {
            assert!(counter("a", &[label]).contains("is not a name of a label"), "{label}");
        }
        assert!(counter("a", &["b", "b"]).contains("each of them once"));
        assert!(counter("a", &["b", "c", "d", "e", "f"]).contains("at most 4 labels"));
        assert!(counter("calls_total", &[]).contains("itself"));
        for buckets in [&[2.0, 1.0][..], &[1.0, 1.0], &[f64::NAN], &[1.0, f64::INFINITY], &[0.0; 17]] {
            assert!(define(Kind::Histogram, "a", &[], buckets).is_err(), "{buckets:?}");
        }
        assert!(define(Kind::Gauge, "a", &[], &[1.0]).is_err());
    }

    #[test]
    fn what_is_not_said_is_usual() {
        assert_eq!(define(Kind::Histogram, "a", &["b"], &[]).unwrap().buckets, USUAL);
        let long = Definition::new(Kind::Gauge, "a", &"é\n".repeat(200), std::iter::empty(), vec![]).unwrap();
        assert!(long.help.len() <= HELP && !long.help.contains('\n'));
    }
}
