//! Policy files: a policy, or problems that stay with it.

use tollgate::config::{Flags, Overrides, Source, load};

use super::configuration::{check, write};

/// The text of the file.
pub fn run(data: &[u8]) {
    let folder = write("policies/10-api-key.toml", data).parent().map(std::path::Path::to_owned);
    let flags = Flags { listen: vec![([127, 0, 0, 1], 0).into()], upstream: "http://a:1".to_owned(), policies: folder };
    match load(&Source::Flags(flags), &Overrides::default(), &["api-key"]) {
        Ok(config) => {
            assert_eq!(config.policies.len(), 1);
            for problems in config.policies.iter().filter_map(|entry| entry.policy.as_ref().err()) {
                check(problems);
            }
        }
        Err(problems) => check(&problems),
    }
}

/// Files with many keys.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::texts([
        "filter = \"api-key\"\non-fault = { default = \"deny\", deadline = \"bypass\", status = 500 }\n[config]\na = \"b\"\n",
        "isolation = \"exchange\"\n[grants]\nread = [\"x-*\"]\nclock = true\nstore = [{ name = \"a\", access = \"read\" }]\n",
        "quarantine = { faults = 3, within = \"1s\", action = \"deny\" }\n[limits]\ncpu = \"2ms\"\nmemory = \"1MiB\"\n",
        "capture = { directory = \"c\", bodies = 100, redact = [\"x\"] }\n",
    ])
}
