//! Lets requests through whose key is on a list that is fetched every now and then, once for all workers.

use std::time::Duration;

use tollgate_filter::prelude::*;

/// For how many periods a key is known after it was last on the list.
const KNOWN_FOR: u32 = 3;

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct FetchedKeys {
    /// The upstream that has the list; the policy must be granted it.
    upstream: String,
    /// Its path there.
    #[schema(default = "/")]
    #[serde(default = "root")]
    path: String,
    /// Seconds between two looks at it.
    #[schema(default = 60, minimum = 1)]
    #[serde(default = "a_minute")]
    every: u32,
}

fn root() -> String {
    "/".into()
}

fn a_minute() -> u32 {
    60
}

#[filter(documentation = "README.md", needs(callouts("fetches the list of keys")))]
impl Filter for FetchedKeys {
    fn check(&mut self) -> Result<(), String> {
        if self.every == 0 { Err("every: 0 is no period; write a number of seconds".into()) } else { Ok(()) }
    }

    fn interest(&self) -> Interest {
        Interest::new().request(["x-api-key"]).every(self.period())
    }

    fn on_tick(&self) -> Result<(), Fault> {
        let list = callout::Request::get(&self.upstream, &self.path).body_limit(1 << 20).send()?;
        if list.status() != 200 {
            return Err(Fault::new(format!("the list was answered with {}", list.status())));
        }
        // An entry for each key, so that a request looks for its own alone.
        for (key, consumer) in entries(list.body()) {
            store::own().set(place(key), consumer, self.period() * KNOWN_FOR)?;
        }
        Ok(())
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        let key = request.field("x-api-key").unwrap_or_default();
        match store::own().get(place(&key)) {
            Ok(Some(consumer)) => {
                request.set_consumer(consumer);
                request.remove("x-api-key");
                Ok(Next::Forward)
            }
            Ok(None) | Err(store::Error::TooLarge) => Ok(Reply::problem(401, "Unauthorized").into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl FetchedKeys {
    fn period(&self) -> Duration {
        Duration::from_secs(self.every.into())
    }
}

/// Where a key stands in the store.
fn place(key: &[u8]) -> Vec<u8> {
    [b"key/", key].concat()
}

/// The keys of a list with their consumers. What is no entry is passed over.
fn entries(list: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    list.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut words = line.trim_ascii().splitn(2, |byte| *byte == b' ');
        let (key, consumer) = (words.next()?, words.next()?.trim_ascii());
        (!key.is_empty() && !consumer.is_empty()).then_some((key, consumer))
    })
}

#[cfg(test)]
mod tests {
    use tollgate_filter::callout::Response;
    use tollgate_filter::testing::{Request, TestGateway};

    use super::*;

    fn gateway() -> TestGateway<FetchedKeys> {
        TestGateway::new(r#"{ "upstream": "keys", "every": 10 }"#).unwrap()
    }

    fn with_key(key: &str) -> Request {
        Request::get("/").field("x-api-key", key)
    }

    #[test]
    fn who_is_on_the_list_goes_on_under_the_name_there() {
        let gateway = gateway();
        gateway.answer_callouts(|_| Ok(Response::new(200).with_body("one amy\n\nnonsense\ntwo  bob b\n")));
        gateway.tick().unwrap();
        let exchange = gateway.request(with_key("two"));
        assert_eq!(exchange.forwarded().consumer().as_deref(), Some("bob b"));
        assert_eq!(exchange.forwarded().value("x-api-key"), None, "the key is nobody else's affair");
        for request in [Request::get("/"), with_key("three"), with_key("nonsense"), with_key(&"k".repeat(2000))] {
            assert_eq!(gateway.request(request).reply().status(), 401);
        }
    }

    #[test]
    fn who_is_taken_off_is_forgotten_and_an_outage_is_outlived() {
        let gateway = gateway();
        gateway.answer_callouts(|_| Ok(Response::new(200).with_body("one amy")));
        gateway.tick().unwrap();
        gateway.answer_callouts(|_| Ok(Response::new(500)));
        gateway.advance(Duration::from_secs(10));
        assert_eq!(gateway.tick(), Err("the list was answered with 500".into()));
        assert!(gateway.request(with_key("one")).is_forwarded());
        gateway.advance(Duration::from_secs(21));
        assert_eq!(gateway.request(with_key("one")).reply().status(), 401);
    }

    #[test]
    fn nothing_is_not_a_period() {
        let refused = TestGateway::<FetchedKeys>::new(r#"{ "upstream": "keys", "every": 0 }"#).err();
        assert!(refused.unwrap().contains("every"));
    }
}
