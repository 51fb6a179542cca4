//! The policy that a filter under development is live as: `dev.toml` of its project, or what its cases configure it with.

use std::fs;
use std::path::Path;

use crate::config::toml_text;

/// The policy file of the project, if it has one.
const OWN: &str = "dev.toml";
/// Where the configuration is taken from otherwise.
const CASES: &str = "cases.toml";
/// Keys of a file of cases that are those of a policy, and mean the same.
const SHARED: [&str; 5] = ["config", "grants", "store", "isolation", "limits"];

/// By its first line a file is known that may be written again.
pub(super) const MARK: &str = "# Written by `tollgate filter dev`";

/// The text of the policy file.
pub(super) fn text(project: &Path) -> Result<String, String> {
    let path = project.join(OWN);
    if path.exists() {
        let written = read(&path)?;
        let table: toml::Table = toml::from_str(&written).map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok(format!("{MARK} from {OWN} of the project.\n{}{written}", trial(&table)));
    }
    let path = project.join(CASES);
    let cases: toml::Table = match path.exists() {
        true => toml::from_str(&read(&path)?).map_err(|error| format!("{}: {error}", path.display()))?,
        false => toml::Table::new(),
    };
    let mut text = format!(
        "{MARK} from {CASES} of the project.\n# If the project has a policy file {OWN}, that is taken instead.\n{}",
        trial(&toml::Table::new())
    );
    for key in SHARED {
        if let Some(value) = cases.get(key) {
            let value = serde_json::to_value(value).map_err(|error| format!("{}: {key}: {error}", path.display()))?;
            text += &format!("{key} = {}\n", toml_text(&value));
        }
    }
    Ok(text)
}

/// A new version has no trial: its author wants to see it at once, and its faults too.
fn trial(table: &toml::Table) -> &'static str {
    if table.contains_key("trial") { "" } else { "trial = false\n" }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_that_of_the_project_or_of_its_cases() {
        let folder = std::env::temp_dir().join(format!("tollgate-dev-policy-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let table = || toml::from_str::<toml::Table>(&text(&folder).unwrap()).unwrap();
        assert_eq!(table().keys().collect::<Vec<_>>(), ["trial"]);
        let cases = "filter = \"a.wasm\"\nconfig = { value = \"new\", n = 1.5 }\n[[cases]]\nname = \"a\"\n";
        fs::write(folder.join(CASES), cases).unwrap();
        assert_eq!(table()["config"]["value"].as_str(), Some("new"));
        assert_eq!((table().len(), table()["trial"].as_bool()), (2, Some(false)));
        fs::write(folder.join(OWN), "on-fault = \"bypass\"\n[config]\na = 1\n").unwrap();
        assert_eq!((table()["on-fault"].as_str(), table()["trial"].as_bool()), (Some("bypass"), Some(false)));
        fs::write(folder.join(OWN), "trial = { mode = \"canary\" }\n").unwrap();
        assert!(table()["trial"].is_table());
        fs::write(folder.join(OWN), "= 1").unwrap();
        assert!(text(&folder).unwrap_err().contains("dev.toml: "));
        fs::remove_dir_all(&folder).unwrap();
    }
}
