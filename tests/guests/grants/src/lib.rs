//! Uses what has to be granted: `{ "use": ["now", "random", "secret:NAME", "read:NAME", "fields", "apply:NAME", "edit:NAME",
//! "cookie"] }`. What came of it is in the reply to each request, or in the edits.

use std::time::Duration;

use tollgate_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grants {
    #[serde(rename = "use")]
    uses: Vec<String>,
    /// Facts to subscribe to.
    #[serde(default)]
    declare: Vec<String>,
    /// A secret that must be there when the filter is configured.
    #[serde(default)]
    needs: Option<String>,
    /// Whether to see bodies.
    #[serde(default)]
    body: bool,
    /// Whether to ask for random numbers while it is configured.
    #[serde(default)]
    early: bool,
    /// Whether it uses them in a tick, of which requests are told by `ticked`.
    #[serde(default)]
    tick: bool,
}

#[filter]
impl Filter for Grants {
    fn check(&mut self) -> Result<(), String> {
        if self.early {
            let _ = random::number();
        }
        match &self.needs {
            Some(name) if secrets::get(name).is_none() => Err(format!("needs: there is no secret {name:?}; grant it")),
            _ => Ok(()),
        }
    }

    fn interest(&self) -> Interest {
        let interest = Interest::new().request_each(&self.declare);
        let interest = if self.body { interest } else { interest.without(Hook::RequestBody) };
        if self.tick { interest } else { interest.without(Hook::Tick) }
    }

    fn on_tick(&self) -> Result<(), Fault> {
        let lines: Vec<_> = self.uses.iter().filter_map(|thing| Some(format!("{thing}={}", found(thing)?))).collect();
        Ok(store::own().set("ticked", lines.join(" "), Duration::ZERO)?)
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        let mut lines = Vec::new();
        let mut reply = Reply::new(200).field("content-type", "text/plain");
        for thing in &self.uses {
            match thing.split_once(':') {
                Some(("edit", name)) => request.set(name, "edited"),
                Some(("cookie", value)) => reply = reply.field("set-cookie", value),
                _ => lines.push(format!("{thing}={}", self.tell(thing, request))),
            }
        }
        if lines.is_empty() && !self.uses.iter().any(|thing| thing.starts_with("cookie")) {
            return Ok(Next::Forward);
        }
        Ok(reply.body(lines.join("\n")).into())
    }

    fn on_request_body(&self, _: &mut Request<'_>, _: Piece) -> BodyOutcome {
        Ok(Body::Pass)
    }
}

impl Grants {
    fn tell(&self, thing: &str, request: &mut Request<'_>) -> String {
        if let Some(found) = found(thing) {
            return found;
        }
        match thing.split_once(':') {
            None if thing == "ticked" => store::own().text("ticked").ok().flatten().unwrap_or_default(),
            None => {
                let fields = request.fields();
                fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" ")
            }
            Some(("apply", name)) => {
                request.set(name, "applied");
                request.apply().map_or_else(|fault| fault.message().to_owned(), |()| "done".to_owned())
            }
            Some((_, name)) => {
                request.field(name).map_or("absent".to_owned(), |value| value.escape_ascii().to_string())
            }
        }
    }
}

/// What does not take an exchange.
fn found(thing: &str) -> Option<String> {
    Some(match thing.split_once(':') {
        None if thing == "now" => clock::now().as_secs().to_string(),
        None if thing == "monotonic" => (clock::monotonic() <= clock::monotonic()).to_string(),
        None if thing == "random" => format!("{:x}", random::number()),
        None if thing == "bytes" => random::bytes(1024).len().to_string(),
        None if thing == "too-many" => random::bytes(1025).len().to_string(),
        Some(("secret", name)) => match secrets::get(name) {
            Some(secret) => secret.escape_ascii().to_string(),
            None => "none".to_owned(),
        },
        _ => return None,
    })
}
