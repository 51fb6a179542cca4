//! Puts a stamp on every request that does not have one.

use tollgate_filter::prelude::*;

/// The `[config]` of the policy.
#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Stamp {
    /// The stamp.
    value: String,
}

#[filter(documentation = "README.md", cases = "cases.toml")]
impl Filter for Stamp {
    fn interest(&self) -> Interest {
        Interest::new().request(["x-stamp"])
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        if request.field("x-stamp").is_none() {
            request.set("x-stamp", &self.value);
        }
        Ok(Next::Forward)
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;
    use tollgate_filter::testing::{Request, TestGateway};

    #[test]
    fn only_requests_without_a_stamp_get_one() {
        let gateway = TestGateway::<Stamp>::new(r#"{ "value": "new" }"#).unwrap();
        let exchange = gateway.request(Request::get("/"));
        assert_eq!(exchange.forwarded().value("x-stamp").as_deref(), Some("new"));
        let exchange = gateway.request(Request::get("/").field("x-stamp", "old"));
        assert_eq!(exchange.forwarded().value("x-stamp").as_deref(), Some("old"));
    }
}
