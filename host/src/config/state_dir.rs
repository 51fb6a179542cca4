//! Where the state directory is by a config file that may be wrong in everything else: whoever looks for what served before
//! does so because of that.

use std::path::{Path, PathBuf};

use super::{Files, document::Document, section::Item};

/// `state-dir` of a config file, as far as it can be read.
#[must_use]
pub fn state_dir_of(file: &Path) -> Option<PathBuf> {
    let document = Document::read(&Files::on_disk(), file, "");
    let written = match document.parse() {
        Some(mut section) => section.take("state-dir").and_then(Item::string).map(|at| at.value),
        None => salvage(document.text()),
    };
    Some(file.parent().unwrap_or(Path::new("")).join(written?))
}

/// The value of the key in a text that is no TOML, if it is written as everybody does: before the first table.
fn salvage(text: &str) -> Option<String> {
    let before_tables = text.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    let value =
        |line: &str| Some(line.strip_prefix("state-dir")?.trim_start().strip_prefix('=')?.trim_start().to_owned());
    let value = before_tables.filter_map(value).next()?;
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split(quote).next().filter(|path| !path.is_empty() && !path.contains('\\')).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_in_a_file_that_is_no_toml() {
        assert_eq!(salvage("workers = \nstate-dir = \"/var/lib/t\" # here\n[[listeners]"), Some("/var/lib/t".into()));
        assert_eq!(salvage("state-dir='s'"), Some("s".into()));
        assert_eq!(salvage("[upstreams.a]\nstate-dir = \"x\"\n[["), None);
        assert_eq!(salvage("state-dir = x"), None);
    }
}
