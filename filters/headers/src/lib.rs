//! Changes header fields of requests and responses. What it does and how it is configured is in the README.

mod config;
mod template;

use tollgate_filter::Head;
use tollgate_filter::prelude::*;

use config::{Changes, Headers};

#[filter(documentation = "README.md", cases = "cases.toml", pure)]
impl Filter for Headers {
    fn interest(&self) -> Interest {
        let mut interest = Interest::new().request_each(self.request.facts()).response_each(self.response.facts());
        for (changes, hook) in [(&self.request, Hook::Request), (&self.response, Hook::Response)] {
            if changes.is_empty() {
                interest = interest.without(hook);
            }
        }
        interest
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        self.request.apply(request);
        Ok(Next::Forward)
    }

    fn on_response(&self, response: &mut Response<'_>) -> Outcome {
        self.response.apply(response);
        Ok(Next::Forward)
    }
}

impl Changes {
    fn apply(&self, head: &mut Head<'_>) {
        for (from, to) in &self.rename {
            if let Some(value) = head.field(from) {
                head.remove(from);
                head.set(to, value);
            }
        }
        for name in &self.remove {
            head.remove(name);
        }
        for (name, template) in &self.set {
            let value = template.render(|fact| head.field(fact));
            head.set(name, value.trim_ascii());
        }
        for (name, template) in &self.add {
            let value = template.render(|fact| head.field(fact));
            head.add(name, value.trim_ascii());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Headers;
    use tollgate_filter::Hook;
    use tollgate_filter::testing::{Request, TestGateway};

    fn gateway(configuration: &str) -> TestGateway<Headers> {
        TestGateway::new(configuration).unwrap()
    }

    fn error(configuration: &str) -> String {
        TestGateway::<Headers>::new(configuration).err().unwrap()
    }

    #[test]
    fn requests_are_renamed_removed_set_and_added_to_in_this_order() {
        let gateway = gateway(
            r#"{ "request": {
                "rename": { "X-Old": "x-new" }, "remove": ["cookie", "x-new-too"],
                "set": { "x-a": "1", "x-new-too": "2" }, "add": { "x-a": "3" } } }"#,
        );
        let request = Request::get("/").field("x-old", "o").field("x-new", "n").field("cookie", "c").field("x-a", "0");
        let exchange = gateway.request(request);
        let request = exchange.forwarded();
        assert_eq!(
            (request.value("x-old"), request.values("x-new"), request.value("cookie")),
            (None, vec!["o".into()], None)
        );
        assert_eq!(
            (request.values("x-a"), request.value("x-new-too")),
            (vec!["1".into(), "3".into()], Some("2".into()))
        );
        assert!(gateway.subscribed(Hook::Request) && !gateway.subscribed(Hook::Response));
        assert_eq!(gateway.request_facts(), ["x-old"]);
    }

    #[test]
    fn values_quote_facts_of_the_request() {
        let gateway = gateway(
            r#"{ "request": { "set": {
                "x-all": "{consumer} {client-address} {method} {path} {host} {route} {listener} {header:X-A} {{}}",
                "x-none": "by {header:x-none} " } } }"#,
        );
        let exchange = gateway.request(Request::get("/p?q").from_consumer("alice").field("x-a", "a"));
        let request = exchange.forwarded();
        let all = "alice 192.0.2.1 GET /p?q example.com test main a {}";
        assert_eq!((request.value("x-all").as_deref(), request.value("x-none").as_deref()), (Some(all), Some("by")));
    }

    #[test]
    fn responses_quote_both_messages() {
        let gateway = gateway(
            r#"{ "response": { "remove": ["server"], "set": {
                "x-all": "{status} {consumer} {method} {path} {header:x-a} {request:X-B} {host}" } } }"#,
        );
        let mut exchange = gateway.request(Request::get("/p").from_consumer("alice").field("x-b", "b"));
        let response = exchange.respond(204, [("server", "s"), ("x-a", "a")]);
        let all = Some("204 alice GET /p a b example.com".into());
        assert_eq!((response.value("server"), response.value("x-all")), (None, all));
        assert!(!gateway.subscribed(Hook::Request));
        assert!(gateway.response_facts().contains(&"@request:x-b".into()), "{:?}", gateway.response_facts());
    }

    #[test]
    fn nothing_to_do_is_no_hook() {
        let gateway = gateway("{}");
        assert!(!gateway.subscribed(Hook::Request) && !gateway.subscribed(Hook::Response));
    }

    #[test]
    fn errors_name_the_key_and_the_remedy() {
        let message = error(r#"{ "request": { "set": { "x-a": "{consumr}" } } }"#);
        assert!(message.starts_with("request.set.x-a: `{consumr}` is unknown; known are {consumer}, "), "{message}");
        assert!(error(r#"{ "request": { "set": { "x-a": "{status}" } } }"#).contains("`{status}` is unknown"));
        assert!(error(r#"{ "response": { "add": { "x-a": "a}" } } }"#).starts_with("response.add.x-a: a single"));
        assert!(error(r#"{ "response": { "add": { "x-a": "{a" } } }"#).starts_with("response.add.x-a: a single"));
        assert!(error(r#"{ "response": { "add": { "x-a": "a\nb" } } }"#).contains("control character"));
        assert!(error(r#"{ "request": { "remove": ["Host"] } }"#).starts_with("request.remove: `host` frames"));
        assert!(error(r#"{ "request": { "set": { "a b": "" } } }"#).starts_with("request.set: `a b` is not the name"));
        assert!(error(r#"{ "request": { "set": { "X-A": "1", "x-a": "2" } } }"#).contains("`x-a` is there twice"));
        assert!(
            error(r#"{ "response": { "rename": { "set-cookie": "x" } } }"#).starts_with("response.rename.set-cookie:")
        );
        assert!(error(r#"{ "requests": {} }"#).contains("unknown field `requests`"));
    }
}
