//! Bars clients for a while that have failed to log in too often. What it does and how it is configured is in the README.

use std::time::Duration;

use tollgate_filter::prelude::*;

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct LoginGuard {
    /// How many failures are too many.
    #[schema(minimum = 1)]
    attempts: i64,
    /// In how many seconds; also how long a client is barred at most.
    #[schema(minimum = 1)]
    window: u64,
    /// The response statuses that are failures.
    #[schema(default = ["401", "403"])]
    #[serde(default = "failures")]
    failures: Vec<String>,
}

fn failures() -> Vec<String> {
    vec!["401".to_owned(), "403".to_owned()]
}

#[filter(documentation = "README.md")]
impl Filter for LoginGuard {
    fn check(&mut self) -> Result<(), String> {
        match self {
            Self { attempts: ..1, .. } => Err("attempts: is less than 1; write how many failures are too many".into()),
            Self { window: 0, .. } => Err("window: is 0; write a number of seconds".into()),
            _ => Ok(()),
        }
    }

    fn interest(&self) -> Interest {
        Interest::new().request(["@client-address"]).response([":status", "@client-address"])
    }

    /// Asks before each request, and counts only after failures: clients that log in cost one look at the store.
    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        if store::own().count(key(request))? < self.attempts {
            return Ok(Next::Forward);
        }
        Ok(Reply::problem(429, "Too Many Requests")
            .detail("There were too many failed attempts from this address.")
            .field("retry-after", self.window.to_string())
            .into())
    }

    fn on_response(&self, response: &mut Response<'_>) -> Outcome {
        let status = response.field(":status").unwrap_or_default();
        if self.failures.iter().any(|failure| failure.as_bytes() == &*status) {
            let failed = store::own().increment(key(response), 1, Duration::from_secs(self.window))?;
            if failed == self.attempts {
                log::warn("a client is barred: too many failed attempts");
            }
        }
        Ok(Next::Forward)
    }
}

/// The counter of a client.
fn key(head: &tollgate_filter::Head<'_, ()>) -> Vec<u8> {
    [b"failures:", &*head.field("@client-address").unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::LoginGuard;
    use tollgate_filter::store::Error;
    use tollgate_filter::testing::{Request, TestGateway};

    fn gateway() -> TestGateway<LoginGuard> {
        TestGateway::new(r#"{ "attempts": 2, "window": 60 }"#).unwrap()
    }

    fn login(gateway: &TestGateway<LoginGuard>, address: &str, status: u16) -> bool {
        let mut exchange = gateway.request(Request::post("/login").from_address(address));
        let passes = exchange.is_forwarded();
        if passes {
            exchange.respond(status, [("content-type", "text/plain")]);
        }
        passes
    }

    #[test]
    fn who_fails_too_often_is_barred_until_the_window_is_over() {
        let gateway = gateway();
        assert!(login(&gateway, "192.0.2.1", 401) && login(&gateway, "192.0.2.1", 403));
        assert!(!login(&gateway, "192.0.2.1", 200) && login(&gateway, "192.0.2.2", 401));
        assert_eq!(gateway.stored("", "failures:192.0.2.1").as_deref(), Some(&b"2"[..]));
        gateway.advance(Duration::from_secs(60));
        assert!(login(&gateway, "192.0.2.1", 200));
    }

    #[test]
    fn who_logs_in_is_never_counted() {
        let gateway = gateway();
        assert!((0..10).all(|_| login(&gateway, "192.0.2.1", 200)));
        assert_eq!(gateway.stored("", "failures:192.0.2.1"), None);
    }

    #[test]
    fn what_another_gateway_has_counted_counts() {
        let gateway = gateway();
        gateway.store("", "failures:192.0.2.1", "2");
        assert!(!login(&gateway, "192.0.2.1", 200));
    }

    #[test]
    fn without_the_store_requests_fault() {
        let gateway = gateway();
        gateway.fail_store(Some(Error::Unavailable));
        let exchange = gateway.request(Request::post("/login"));
        assert!(exchange.fault().contains("the store cannot be reached"), "{}", exchange.fault());
    }

    #[test]
    fn the_configuration_is_checked() {
        let error = |configuration| TestGateway::<LoginGuard>::new(configuration).err().unwrap();
        assert!(error(r#"{ "attempts": 0, "window": 1 }"#).starts_with("attempts: is less than 1"));
        assert!(error(r#"{ "attempts": 1, "window": 0 }"#).starts_with("window: is 0"));
    }
}
