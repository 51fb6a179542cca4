//! What filters there are to be used.

use std::path::Path;

use super::lines;
use crate::bundled;
use crate::config::{self, Files, Overrides, Recording, Source};
use crate::snapshot::Listing;

/// The filters of the catalogue of a configuration, and those that are part of the gateway, that have all these words and that a team
/// may use, if one is named.
///
/// # Errors
/// If the configuration is no good, or there is no such team.
pub fn search(file: Option<&Path>, words: &[String], team: Option<&str>) -> Result<Listing, String> {
    let mut listing = match file {
        None => Listing::of_bundled(None, &[]),
        Some(file) => {
            let source = Source::File(file.to_owned());
            // Routes of teams that are no good are nobody's business here.
            let files = Files::on_disk_after(&Recording::default());
            let config = config::load_from(&files, &source, &Overrides::default(), &bundled::names()).map_err(lines)?;
            Listing::of(&config, None)
        }
    };
    if let Some(unknown) = team.filter(|team| !listing.teams.iter().any(|known| known.name == *team)) {
        let known = listing.teams.iter().map(|team| team.name.as_str());
        return Err(format!("there is no team {unknown:?}; {}", config::suggest(unknown, "teams", known)));
    }
    listing.narrow(words, team);
    Ok(listing)
}
