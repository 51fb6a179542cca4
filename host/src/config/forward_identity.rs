//! `forward-identity`: the header fields in which an upstream is told who a request is made for.

use http::{HeaderName, header};

use super::{
    report::{At, Report, Wrong},
    section::{Item, Section},
};

/// Fields by what they tell. No client can send them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardIdentity {
    /// Each part of the identity that is told, and its field.
    pub fields: Vec<(IdentityPart, HeaderName)>,
}

/// A part of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityPart {
    /// `subject`
    Subject,
    /// `issuer`
    Issuer,
    /// `scopes`, separated by spaces.
    Scopes,
    /// `groups`, separated by commas.
    Groups,
    /// `consumer`: the name, or else the subject.
    Consumer,
    /// `claims.NAME`
    Claim(String),
}

/// Fields that frame a message, belong to a connection or are the gateway's own.
const RESERVED: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::HOST,
    header::FORWARDED,
];

/// Reads all keys and reports what is wrong with them.
pub(super) fn read(item: Item<'_>) -> Option<ForwardIdentity> {
    let place = item.place();
    let mut section = item.section()?;
    let report = section.report();
    let mut found = ForwardIdentity::default();
    for (key, part) in [
        ("subject", IdentityPart::Subject),
        ("issuer", IdentityPart::Issuer),
        ("scopes", IdentityPart::Scopes),
        ("groups", IdentityPart::Groups),
        ("consumer", IdentityPart::Consumer),
    ] {
        if let Some(at) = section.take(key).and_then(Item::string) {
            found.add(part, &at, report);
        }
    }
    let claims = section.take("claims").and_then(Item::section).map(Section::entries).unwrap_or_default();
    for (name, item) in claims {
        if let Some(at) = item.string() {
            found.add(IdentityPart::Claim(name), &at, report);
        }
    }
    section.finish();
    if found.fields.is_empty() && !report.concerns(&place.key) {
        report.at(&place, "tells the upstream nothing", "write forward-identity = { subject = \"x-user\" }");
    }
    Some(found)
}

impl ForwardIdentity {
    fn add(&mut self, part: IdentityPart, at: &At<String>, report: &Report) {
        let Some(name) = report.good(at, field(&at.value)) else { return };
        if self.fields.iter().any(|(_, known)| *known == name) {
            report.at(at, format!("{name} tells something else already"), "name another field");
        } else {
            self.fields.push((part, name));
        }
    }
}

fn field(text: &str) -> Result<HeaderName, Wrong> {
    match HeaderName::from_bytes(text.as_bytes()) {
        // Many servers take `_` for `-`, so it could not be kept apart from what clients send.
        Ok(_) if text.contains('_') => {
            Err((format!("{text:?} has an underscore"), "write letters, digits and dashes".to_owned()))
        }
        Ok(name) if RESERVED.contains(&name) || name.as_str().starts_with("x-forwarded-") => {
            Err((format!("{name} has another meaning"), "name a field such as \"x-user\"".to_owned()))
        }
        Ok(name) => Ok(name),
        Err(_) => Err((format!("{text:?} is not a header name"), "write letters, digits and dashes".to_owned())),
    }
}
