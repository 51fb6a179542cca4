//! Knows consumers by their API keys. What it does and how it is configured is in the README.

mod config;
mod query;
mod recent;

use sha2::{Digest as _, Sha256};
use tollgate_filter::prelude::*;

use config::ApiKey;

#[filter(documentation = "README.md", cases = "cases.toml", pure)]
impl Filter for ApiKey {
    fn check(&mut self) -> Result<(), String> {
        self.prepare()
    }

    fn interest(&self) -> Interest {
        let interest = Interest::new().request([&self.header]);
        if self.query.is_some() { interest.request([":path"]) } else { interest }
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        let in_header = request.field(&self.header);
        let path = self.query.as_ref().map(|_| request.path()).unwrap_or_default();
        let in_query = self.query.as_ref().and_then(|name| query::value(&path, name));
        let Some(key) = in_header.as_deref().or(in_query.as_deref()) else {
            return Ok(self.refuse(&self.missing).into());
        };
        let Some(consumer) = self.recent.find(key, || self.position(&Sha256::digest(key).into())) else {
            return Ok(self.refuse("The API key is not known.").into());
        };
        request.set("@subject", self.consumer(consumer));
        if !self.forward {
            if in_header.is_some() {
                request.remove(&self.header);
            }
            if let (Some(name), Some(_)) = (&self.query, in_query) {
                request.set_path(query::without(&path, name));
            }
        }
        Ok(Next::Forward)
    }
}

impl ApiKey {
    fn refuse(&self, detail: &str) -> Reply {
        Reply::problem(401, "Unauthorized").detail(detail).field("www-authenticate", &self.challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::ApiKey;
    use tollgate_filter::testing::{Request, TestGateway};

    const ALICE: &str = "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20";
    const KEYS: &str = r#"[
        { "consumer": "alice", "sha256": "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20" },
        { "consumer": "bob", "sha256": "9B94DC1A51A38769F135EDF04033AD7F2F487B6C25929BE7A861CFC1AB10CF98" },
        { "consumer": "bob", "sha256": "a6a1753f03ba7a59b722d52bab6f11bc1819733d772ef2b3eeb10cbe7ccd7ed4" }
    ]"#;

    /// With the keys `alice-key`, `bob-key` and `bob-second-key`.
    fn gateway(rest: &str) -> TestGateway<ApiKey> {
        TestGateway::new(&format!(r#"{{ "keys": {KEYS}{rest} }}"#)).unwrap()
    }

    fn error(configuration: &str) -> String {
        TestGateway::<ApiKey>::new(configuration).err().unwrap()
    }

    #[test]
    fn each_key_is_its_consumers_and_goes_no_further() {
        let gateway = gateway("");
        for (key, consumer) in [("alice-key", "alice"), ("bob-key", "bob"), ("bob-second-key", "bob")] {
            let exchange = gateway.request(Request::get("/a?api_key=x").field("x-api-key", key).field("accept", "*/*"));
            let request = exchange.forwarded();
            assert_eq!(request.consumer().as_deref(), Some(consumer));
            assert_eq!((request.value("x-api-key"), request.path()), (None, "/a?api_key=x".into()));
        }
    }

    #[test]
    fn no_key_and_a_wrong_key_are_answered_with_a_challenge() {
        let gateway = gateway(r#", "query": "api_key""#);
        let none = gateway.request(Request::get("/"));
        let reply = none.reply();
        assert_eq!((reply.status(), reply.values("www-authenticate").len()), (401, 1));
        assert_eq!(reply.value("content-type").as_deref(), Some("application/problem+json"));
        assert!(reply.text().contains("header `x-api-key` or the query parameter `api_key`"), "{}", reply.text());

        for key in ["alice-kez", "", "alice-key, alice-key"] {
            let wrong = gateway.request(Request::get("/").field("x-api-key", key));
            assert!(wrong.reply().text().contains("not known"), "{key}");
        }
    }

    #[test]
    fn a_key_in_the_query_is_removed_from_the_path() {
        let gateway = gateway(r#", "query": "api_key""#);
        let exchange = gateway.request(Request::get("/a?b=1&api_key=bob%2Dkey&c"));
        let request = exchange.forwarded();
        assert_eq!((request.path(), request.consumer().as_deref()), ("/a?b=1&c".into(), Some("bob")));
    }

    #[test]
    fn the_header_counts_more_and_both_are_removed() {
        let gateway = gateway(r#", "query": "api_key""#);
        let exchange = gateway.request(Request::get("/a?api_key=alice-key").field("x-api-key", "bob-key"));
        let request = exchange.forwarded();
        assert_eq!((request.path(), request.consumer().as_deref()), ("/a".into(), Some("bob")));
        assert_eq!(gateway.request(Request::get("/a?api_key=alice-key").field("x-api-key", "x")).reply().status(), 401);
    }

    #[test]
    fn credentials_are_forwarded_on_demand() {
        let gateway = gateway(r#", "header": "X-Token", "forward": true"#);
        let exchange = gateway.request(Request::get("/").field("x-token", "bob-key"));
        assert_eq!(exchange.forwarded().value("x-token").as_deref(), Some("bob-key"));
        assert_eq!(gateway.request_facts(), ["x-token"]);
    }

    #[test]
    fn errors_name_the_key_and_the_remedy() {
        assert_eq!(error("{}"), "missing field `keys`");
        assert!(error(r#"{ "keys": [] }"#).starts_with("keys: is empty"));
        assert!(
            error(r#"{ "keys": [], "headers": "x" }"#).contains("unknown field `headers`, expected one of `header`")
        );
        let message = error(r#"{ "keys": [{ "consumer": "a", "sha256": "secret" }] }"#);
        assert!(message.starts_with("keys[0].sha256: is not a SHA-256 digest; write"), "{message}");
        assert!(!message.contains("secret"));
        let twice = KEYS.replace("a6a1753f03ba7a59b722d52bab6f11bc1819733d772ef2b3eeb10cbe7ccd7ed4", ALICE);
        assert!(error(&format!(r#"{{ "keys": {twice} }}"#)).starts_with("keys[2].sha256: is the same as in keys[0];"));
        let message = error(&format!(r#"{{ "keys": {KEYS}, "header": "host" }}"#));
        assert!(message.starts_with("header: `host` cannot carry"), "{message}");
        assert!(error(&format!(r#"{{ "keys": {KEYS}, "query": "a b" }}"#)).starts_with("query: "));
    }
}
