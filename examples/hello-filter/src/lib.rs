//! The smallest filter: it puts a stamp on every request.

use tollgate_filter::prelude::*;

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Stamp {
    /// The stamp.
    value: String,
}

#[filter(documentation = "README.md")]
impl Filter for Stamp {
    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        request.set("x-stamp", &self.value);
        Ok(Next::Forward)
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;
    use tollgate_filter::testing::{Request, TestGateway};

    #[test]
    fn every_request_is_stamped() {
        let gateway = TestGateway::<Stamp>::new(r#"{ "value": "hello" }"#).unwrap();
        let exchange = gateway.request(Request::get("/"));
        assert_eq!(exchange.forwarded().value("x-stamp").as_deref(), Some("hello"));
    }

    #[test]
    fn the_value_is_required() {
        assert_eq!(TestGateway::<Stamp>::new("{}").err().as_deref(), Some("missing field `value`"));
    }
}
