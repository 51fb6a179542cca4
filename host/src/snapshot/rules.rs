//! What the configuration says about the framing of messages and about paths, as the steps that follow it want it.

use crate::config::{self, Config, PathMatch, Problem};
use crate::framing;
use crate::route::{self, PathRules};

/// Bounds on what frames messages.
pub(super) fn framing_limits(limits: &config::Limits) -> framing::Limits {
    framing::Limits {
        fields: limits.header_fields,
        bytes: limits.header_bytes,
        line: limits.request_line_bytes,
        field: limits.header_field_bytes,
        extensions: limits.chunk_extension_bytes,
    }
}

/// How paths are read.
pub(super) fn path_rules(paths: config::Paths) -> PathRules {
    PathRules {
        keep_encoded_slashes: paths.encoded_slash == config::EncodedSlash::Keep,
        merge_slashes: paths.merge_slashes,
    }
}

/// Paths of routes that no request can have, as requests come in their normal form.
pub(super) fn unmatched_paths(config: &Config) -> Vec<Problem> {
    let rules = path_rules(config.paths);
    let problem = |route: &config::Route| {
        let (PathMatch::Exact(path) | PathMatch::Prefix(path)) = &route.path else { return None };
        let (message, remedy) = match route::normalize(path, rules) {
            Ok(None) => return None,
            Ok(Some(normal)) => (format!("{path:?} is not in normal form"), format!("write {normal:?}")),
            Err(error) => {
                (format!("{path:?}: {error}"), "requests with such paths are refused; see [paths]".to_owned())
            }
        };
        let file = config.files.first().cloned().unwrap_or_default();
        Some(Problem { file, line: None, key: Some(format!("route {:?}: path", route.name)), message, remedy })
    };
    config.routes.iter().filter_map(problem).collect()
}
