//! Lets requests through that an authorization service allows, and says nothing to those that it does not know.

use std::time::Duration;

use tollgate_filter::prelude::*;

/// Fields of the service's answer that a client who is refused gets to see.
const OF_A_REFUSAL: [&str; 2] = ["www-authenticate", "location"];

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Authorization {
    /// The upstream to ask; the policy must be granted it.
    upstream: String,
    /// Its path.
    #[schema(default = "/", pattern = "^/")]
    #[serde(default = "root")]
    path: String,
    /// The request's fields that the service gets to see.
    #[schema(default = ["authorization", "cookie"])]
    #[serde(default = "credentials")]
    fields: Vec<FieldName>,
    /// The field of its answer that says who the consumer is.
    #[serde(default)]
    consumer: Option<FieldName>,
    /// How long to wait for it.
    #[schema(default = 500)]
    #[serde(default = "half_a_second")]
    timeout_ms: u64,
}

fn root() -> String {
    "/".into()
}

fn credentials() -> Vec<FieldName> {
    vec![FieldName::from_static("authorization"), FieldName::from_static("cookie")]
}

fn half_a_second() -> u64 {
    500
}

#[filter(
    documentation = "README.md",
    needs(callouts("asks the authorization service about each request")),
    uses(read("authorization", "shows it to the service"), read("cookie", "shows it to the service"))
)]
impl Filter for Authorization {
    fn interest(&self) -> Interest {
        Interest::new().request([":method", ":path"]).request_each(self.fields.iter().map(|name| &**name))
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        // A service that does not answer is a fault: what becomes of the request then is the policy's `on-fault`.
        let verdict = self.question(request).send()?;
        match verdict.status() {
            200..300 => {
                self.name_consumer(request, &verdict);
                Ok(Next::Forward)
            }
            401 | 403 | 302 | 303 => Ok(refusal(&verdict).into()),
            status => Err(Fault::new(format!("the authorization service answered {status}"))),
        }
    }
}

impl Authorization {
    fn question(&self, request: &mut Request<'_>) -> callout::Request {
        let mut question = callout::Request::get(&self.upstream, &self.path)
            .timeout(Duration::from_millis(self.timeout_ms))
            .field("x-original-method", request.method())
            .field("x-original-path", request.path());
        for name in &self.fields {
            if let Some(value) = request.field(name) {
                question = question.field(name, value);
            }
        }
        question
    }

    fn name_consumer(&self, request: &mut Request<'_>, verdict: &callout::Response) {
        if let Some(consumer) = self.consumer.as_ref().and_then(|name| verdict.field(name)) {
            request.set_consumer(consumer);
        }
    }
}

fn refusal(verdict: &callout::Response) -> Reply {
    let reply = match verdict.status() {
        401 => Reply::problem(401, "Unauthorized"),
        403 => Reply::problem(403, "Forbidden"),
        status => Reply::new(status),
    };
    let passed = OF_A_REFUSAL.iter().filter_map(|name| Some((name, verdict.field(name)?)));
    passed.fold(reply, |reply, (name, value)| reply.field(name, value))
}

#[cfg(test)]
mod tests {
    use tollgate_filter::callout::{Error, Response};
    use tollgate_filter::testing::{Request, TestGateway};

    use super::Authorization;

    fn gateway() -> TestGateway<Authorization> {
        let configuration = r#"{ "upstream": "auth", "path": "/check", "consumer": "x-user" }"#;
        TestGateway::new(configuration).unwrap()
    }

    #[test]
    fn what_is_allowed_goes_on_in_the_consumers_name() {
        let gateway = gateway();
        gateway.answer_callouts(|_| Ok(Response::new(204).with_field("x-user", "amy")));
        let exchange = gateway.request(Request::get("/orders").field("authorization", "Bearer abc"));
        assert_eq!(exchange.forwarded().consumer().as_deref(), Some("amy"));
        let asked = &gateway.callouts()[0];
        assert_eq!((asked.upstream.as_str(), asked.path.as_str()), ("auth", "/check"));
        assert_eq!(asked.value("authorization").as_deref(), Some("Bearer abc"));
        assert_eq!(asked.value("x-original-path").as_deref(), Some("/orders"));
    }

    #[test]
    fn a_refusal_reaches_the_client() {
        let gateway = gateway();
        gateway.answer_callouts(|_| Ok(Response::new(401).with_field("www-authenticate", "Bearer")));
        let exchange = gateway.request(Request::get("/orders"));
        let reply = exchange.reply();
        assert_eq!((reply.status(), reply.value("www-authenticate").as_deref()), (401, Some("Bearer")));
    }

    #[test]
    fn a_service_that_does_not_answer_is_a_fault() {
        let gateway = gateway();
        gateway.answer_callouts(|_| Err(Error::Timeout));
        assert!(gateway.request(Request::get("/")).fault().contains("in time"));
    }
}
