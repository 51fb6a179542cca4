//! `tollgate filter search`

use std::path::PathBuf;

use clap::Args;

use super::say;
use crate::inspect::{FilterRow, search};

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct Search {
    /// Words that a filter's name, description, owner or needs have, all of them.
    words: Vec<String>,
    /// Only filters that this team may use.
    #[arg(long, value_name = "NAME", requires = "config")]
    team: Option<String>,
    /// The configuration file whose catalogue is searched; without it, there are the bundled filters.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Search {
    pub(super) fn run(self) -> Result<(), String> {
        let listing = search(self.config.as_deref(), &self.words, self.team.as_deref())?;
        if self.json {
            say(&format!("{:#}", listing.json()["filters"]));
        } else if listing.filters.is_empty() {
            return Err("no filter is like that".to_owned());
        } else {
            let told: Vec<_> = listing.filters.iter().map(told).collect();
            say(&told.join("\n"));
        }
        Ok(())
    }
}

fn told(filter: &FilterRow) -> String {
    let version = filter.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let description = filter.description.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
    let owner = filter.owner.as_deref().unwrap_or("the platform");
    let visibility = match filter.visibility.as_array() {
        Some(teams) => teams.iter().filter_map(|team| team.as_str()).collect::<Vec<_>>().join(", "),
        None => filter.visibility.as_str().unwrap_or_default().to_owned(),
    };
    let mut lines = vec![format!("{}{version}{description}", filter.name)];
    lines.push(format!("  of {owner}, for {visibility}, {}", filter.module));
    for need in &filter.needs {
        let name = need.name.as_deref().map(|name| format!(" {name:?}")).unwrap_or_default();
        let why = if need.why.is_empty() { String::new() } else { format!(": {}", need.why) };
        let optional = if need.optional { " (it can do without)" } else { "" };
        lines.push(format!("  needs {}{name}{why}{optional}", need.grant));
    }
    for attached in &filter.attached {
        let team = attached.team.as_deref().map(|team| format!(" of {team}")).unwrap_or_default();
        let routes = if attached.routes.is_empty() { "no route".to_owned() } else { attached.routes.join(", ") };
        lines.push(format!("  attached as {}{team} on {routes}", attached.policy));
    }
    lines.extend(filter.documentation.as_ref().map(|text| format!("  see {text}")));
    lines.extend(filter.problem.as_ref().map(|text| format!("  {text}")));
    lines.join("\n")
}
