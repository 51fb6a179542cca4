//! Limits how many requests a client can make. What it does and how it is configured is in the README.

mod config;

use tollgate_filter::limiter::{Decision, Limit};
use tollgate_filter::prelude::*;

use config::{Key, RateLimit};

/// The decision on a request whose response is still to be told.
#[derive(Default)]
struct Decided(Option<Decision>);

#[filter(documentation = "README.md", cases = "cases.toml")]
impl Filter for RateLimit {
    type State = Decided;

    fn check(&mut self) -> Result<(), String> {
        RateLimit::check(self)
    }

    fn interest(&self) -> Interest {
        let interest = Interest::new().request([self.fact()]);
        let interest = if self.key.has_issuer() { interest.request(["@issuer"]) } else { interest };
        if self.headers { interest } else { interest.without(Hook::Response).without(Hook::End) }
    }

    fn on_request(&self, request: &mut Request<'_, Decided>) -> Outcome {
        let mut bucket = self.bucket(request.field(self.fact()).as_deref());
        // Two issuers may know two people by one name.
        if let Some(issuer) = self.key.has_issuer().then(|| request.field("@issuer")).flatten() {
            bucket.push(0);
            bucket.extend_from_slice(&issuer);
        }
        let decision = limiter::take(bucket, self.limit(), 1);
        if !decision.allowed {
            return Ok(refuse(&decision, self.limit()).into());
        }
        if self.headers {
            request.state().0 = Some(decision);
        }
        Ok(Next::Forward)
    }

    fn on_response(&self, response: &mut Response<'_, Decided>) -> Outcome {
        if let Some(decision) = response.state().0 {
            response.set("ratelimit-policy", policy(self.limit()));
            response.set("ratelimit", remaining(&decision));
        }
        Ok(Next::Forward)
    }
}

impl RateLimit {
    /// The fact that requests are counted by.
    fn fact(&self) -> &str {
        match &self.key {
            Key::ClientAddress => "@client-address",
            Key::Consumer => "@consumer",
            Key::Subject => "@subject",
            Key::Header(name) => name,
        }
    }

    /// The limiter's key: what a request is counted by, with a prefix that keeps apart what is of different kinds.
    fn bucket(&self, value: Option<&[u8]>) -> Vec<u8> {
        let prefix: &[u8] = match (&self.key, value) {
            (_, None) => b"anonymous",
            (Key::ClientAddress, _) => b"client-address:",
            (Key::Consumer, _) => b"consumer:",
            (Key::Subject, _) => b"subject:",
            (Key::Header(_), _) => b"header:",
        };
        let value = value.unwrap_or_default();
        let mut bucket = Vec::with_capacity(prefix.len() + value.len());
        bucket.extend_from_slice(prefix);
        bucket.extend_from_slice(value);
        bucket
    }
}

fn refuse(decision: &Decision, limit: Limit) -> Reply {
    Reply::problem(429, "Too Many Requests")
        .detail("The rate limit is exceeded; see Retry-After.")
        .field("retry-after", seconds(decision.retry_after_ms).to_string())
        .field("ratelimit-policy", policy(limit))
        .field("ratelimit", remaining(decision))
}

/// The policy as draft-ietf-httpapi-ratelimit-headers has it, with a window of at least a second.
fn policy(limit: Limit) -> String {
    format!("\"default\";q={};w={}", limit.requests, seconds(limit.period_ms))
}

/// What is left, and the seconds until more is.
fn remaining(decision: &Decision) -> String {
    let wait = if decision.allowed { decision.reset_after_ms } else { decision.retry_after_ms };
    format!("\"default\";r={};t={}", decision.remaining, seconds(wait))
}

/// Rounded up: who comes back then, is let in.
fn seconds(milliseconds: u64) -> u64 {
    milliseconds.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RateLimit;
    use tollgate_filter::Hook;
    use tollgate_filter::testing::{Request, TestGateway};

    fn gateway(configuration: &str) -> TestGateway<RateLimit> {
        TestGateway::new(configuration).unwrap()
    }

    fn error(configuration: &str) -> String {
        TestGateway::<RateLimit>::new(configuration).err().unwrap()
    }

    fn passes(gateway: &TestGateway<RateLimit>, request: Request) -> bool {
        gateway.request(request).is_forwarded()
    }

    #[test]
    fn beyond_the_burst_requests_are_refused_until_time_has_passed() {
        let gateway = gateway(r#"{ "requests": 2, "per": "3s", "burst": 3 }"#);
        assert!((0..3).all(|_| passes(&gateway, Request::get("/"))));
        let exchange = gateway.request(Request::get("/"));
        let reply = exchange.reply();
        assert_eq!((reply.status(), reply.value("retry-after").as_deref()), (429, Some("2")));
        assert_eq!(reply.value("ratelimit-policy").as_deref(), Some(r#""default";q=2;w=3"#));
        assert_eq!(reply.value("ratelimit").as_deref(), Some(r#""default";r=0;t=2"#));
        assert_eq!(reply.value("content-type").as_deref(), Some("application/problem+json"));
        gateway.advance(Duration::from_millis(1500));
        assert!(passes(&gateway, Request::get("/")));
    }

    #[test]
    fn by_default_each_address_has_its_own_limit_and_no_response_is_looked_at() {
        let gateway = gateway(r#"{ "requests": 1, "per": "1m" }"#);
        assert!(passes(&gateway, Request::get("/").from_address("192.0.2.1")));
        assert!(passes(&gateway, Request::get("/").from_address("192.0.2.2")));
        assert!(!passes(&gateway, Request::get("/").from_address("192.0.2.1")));
        assert!(!gateway.subscribed(Hook::Response) && !gateway.subscribed(Hook::End));
        assert_eq!(gateway.request_facts(), ["@client-address"]);
    }

    #[test]
    fn who_has_no_name_shares_the_limit_of_the_anonymous() {
        let gateway = gateway(r#"{ "requests": 1, "per": "1h", "key": "consumer" }"#);
        assert!(passes(&gateway, Request::get("/").from_consumer("anonymous")));
        assert!(passes(&gateway, Request::get("/").from_address("192.0.2.1")));
        assert!(!passes(&gateway, Request::get("/").from_address("192.0.2.2")));
        assert!(!passes(&gateway, Request::get("/").from_consumer("anonymous")));
    }

    #[test]
    fn a_header_can_be_the_key() {
        let gateway = gateway(r#"{ "requests": 1, "per": "500ms", "key": "header:X-Tenant" }"#);
        assert!(passes(&gateway, Request::get("/").field("x-tenant", "a")));
        assert!(passes(&gateway, Request::get("/").field("x-tenant", "b")));
        assert!(!passes(&gateway, Request::get("/").field("x-tenant", "a")));
    }

    #[test]
    fn responses_tell_what_is_left_on_demand() {
        let gateway = gateway(r#"{ "requests": 10, "per": "10s", "headers": true }"#);
        let mut exchange = gateway.request(Request::get("/"));
        let response = exchange.respond(200, [("ratelimit", "of the upstream")]);
        assert_eq!(response.value("ratelimit").as_deref(), Some(r#""default";r=9;t=1"#));
        assert_eq!(response.value("ratelimit-policy").as_deref(), Some(r#""default";q=10;w=10"#));
    }

    #[test]
    fn errors_name_the_key_and_the_remedy() {
        assert_eq!(error("{}"), "missing field `requests`");
        assert!(error(r#"{ "requests": 0, "per": "1s" }"#).starts_with("requests: is 0"));
        assert!(error(r#"{ "requests": 1, "per": "1s", "burst": 0 }"#).starts_with("burst: is 0"));
        for per in ["1", "s", "1.5s", "-1s", "0s", "1 s", "1d", "99999h", "ß"] {
            let message = error(&format!(r#"{{ "requests": 1, "per": "{per}" }}"#));
            assert!(message.starts_with(&format!("per: `{per}` is not a time; write")), "{message}");
        }
        let message = error(r#"{ "requests": 1, "per": "1s", "key": "ip" }"#);
        assert_eq!(
            message,
            "key: `ip` is unknown; write \"client-address\", \"consumer\", \"subject\" or \"header:NAME\""
        );
        assert!(error(r#"{ "requests": 1, "per": "1s", "key": "header:a b" }"#).starts_with("key: `a b` is not"));
    }
}
