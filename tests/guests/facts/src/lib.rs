//! Tells what it sees of a message: `{ "in": "request", "declare": [":path"], "ask": ["x-a"], "each": ["set-cookie"] }`.

use tollgate_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    #[serde(rename = "in")]
    place: Place,
    /// Facts to subscribe to.
    #[serde(default)]
    declare: Vec<String>,
    /// Facts to ask for without a subscription.
    #[serde(default)]
    ask: Vec<String>,
    /// Fields whose values are wanted one by one.
    #[serde(default)]
    each: Vec<String>,
    /// Whether to list all fields.
    #[serde(default)]
    fields: bool,
    /// A field to set at once, by the import, before anything is read.
    #[serde(default)]
    apply: Option<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Place {
    Request,
    Response,
}

#[filter]
impl Filter for Facts {
    fn interest(&self) -> Interest {
        match self.place {
            Place::Request => Interest::new().request_each(&self.declare).without(Hook::Response),
            Place::Response => Interest::new().response_each(&self.declare).without(Hook::Request),
        }
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        self.tell(request)
    }

    fn on_response(&self, response: &mut Response<'_>) -> Outcome {
        self.tell(response)
    }
}

impl Facts {
    /// A line for each fact, in a reply that takes the message's place.
    fn tell(&self, message: &mut tollgate_filter::Head<'_, ()>) -> Outcome {
        let mut lines = Vec::new();
        if let Some(name) = &self.apply {
            message.set(name, "applied");
            lines.push(match message.apply() {
                Ok(()) => format!("apply {name}: done"),
                Err(fault) => format!("apply {name}: {}", fault.message()),
            });
        }
        for name in self.declare.iter().chain(&self.ask) {
            lines.push(match message.field(name) {
                Some(value) => format!("{name}={}", value.escape_ascii()),
                None => format!("{name} absent"),
            });
        }
        for name in &self.each {
            let values: Vec<_> = message.values(name).iter().map(|value| value.escape_ascii().to_string()).collect();
            lines.push(format!("{name}: {}", values.join(" | ")));
        }
        if self.fields {
            lines.extend(message.fields().iter().map(|(name, value)| format!("{name}: {}", value.escape_ascii())));
        }
        Ok(Reply::new(200).field("content-type", "text/plain").body(lines.join("\n")).into())
    }
}
