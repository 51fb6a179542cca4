//! Lets requests through whose path is signed and has not expired: an example of secrets and of the clock.

mod link;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tollgate_filter::prelude::*;

use crate::link::Link;

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct SignedUrl {
    /// The names of the secrets that links may be signed with. While keys are exchanged there are two.
    #[schema(default = ["signing-key"], min_items = 1, max_items = 8)]
    #[serde(default = "signing_key")]
    secrets: Vec<String>,
    /// The parameter with the time that the link expires at, in seconds since 1970.
    #[schema(default = "expires", pattern = "^[A-Za-z0-9_-]+$")]
    #[serde(default = "expires")]
    expires: String,
    /// The parameter with the signature, which is the last one.
    #[schema(default = "signature", pattern = "^[A-Za-z0-9_-]+$")]
    #[serde(default = "signature")]
    signature: String,
}

fn signing_key() -> Vec<String> {
    vec!["signing-key".into()]
}

fn expires() -> String {
    "expires".into()
}

fn signature() -> String {
    "signature".into()
}

#[filter(
    documentation = "README.md",
    cases = "cases.toml",
    needs(secrets("checks signatures with it"), clock("knows by it which links have expired"))
)]
impl Filter for SignedUrl {
    fn check(&mut self) -> Result<(), String> {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        match self {
            Self { secrets, .. } if secrets.is_empty() => Err("secrets: there is none; name at least one".into()),
            Self { expires, signature, .. } if !is_name(expires) || !is_name(signature) || expires == signature => {
                Err("expires, signature: write two names of letters, digits, `-` and `_`".into())
            }
            // Better now than at each request.
            Self { secrets, .. } => match secrets.iter().find(|name| secrets::get(name).is_none()) {
                Some(missing) => Err(["secrets: `", missing, "` is not granted"].concat()),
                None => Ok(()),
            },
        }
    }

    fn interest(&self) -> Interest {
        Interest::new().request([":method", ":path"])
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        let path = request.path();
        let link = Link::of(&path, self.expires.as_bytes(), self.signature.as_bytes());
        // A link is for looking at something; and of why it is none, whoever made it up learns nothing.
        let link = match link {
            Some(link) if matches!(&*request.method(), b"GET" | b"HEAD") && self.is_signed(&link) => link,
            _ => return Ok(Reply::problem(403, "Forbidden").into()),
        };
        if clock::now().as_secs() >= link.expires {
            return Ok(Reply::problem(403, "Forbidden").detail("The link has expired.").into());
        }
        request.set_path(link.bare);
        Ok(Next::Forward)
    }
}

impl SignedUrl {
    /// Whether one of the secrets as they are now has made the signature. Compared in constant time.
    fn is_signed(&self, link: &Link<'_>) -> bool {
        self.secrets.iter().filter_map(|name| secrets::get(name)).any(|secret| {
            let made = Hmac::<Sha256>::new_from_slice(&secret).map(|hmac| hmac.chain_update(link.signed));
            made.is_ok_and(|made| made.verify_slice(&link.signature).is_ok())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_filter::testing::{Request, TestGateway};

    use super::*;

    /// Half a minute after the stand-in's time begins.
    const EXPIRES: &str = "1767225630";

    fn gateway() -> TestGateway<SignedUrl> {
        TestGateway::with_secrets("{}", &[("signing-key", b"key")]).unwrap()
    }

    fn sign(key: &[u8], text: &str) -> String {
        let hmac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text);
        let hex: String = hmac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{text}&signature={hex}")
    }

    fn status(gateway: &TestGateway<SignedUrl>, path: &str) -> u16 {
        let exchange = gateway.request(Request::get(path));
        if exchange.is_forwarded() { 200 } else { exchange.reply().status() }
    }

    #[test]
    fn a_signed_path_goes_on_without_its_signature_until_it_expires() {
        let gateway = gateway();
        for (path, bare) in [("/a?expires=", "/a"), ("/a?x=1&expires=", "/a?x=1"), ("/a%20b?y&expires=", "/a%20b?y")] {
            let exchange = gateway.request(Request::get(&sign(b"key", &format!("{path}{EXPIRES}"))));
            assert_eq!(exchange.forwarded().path(), bare);
        }
        gateway.advance(Duration::from_secs(30));
        let exchange = gateway.request(Request::get(&sign(b"key", &format!("/a?expires={EXPIRES}"))));
        assert_eq!(exchange.reply().status(), 403);
        assert!(exchange.reply().text().contains("expired"));
    }

    #[test]
    fn whatever_is_not_what_was_signed_is_refused() {
        let (gateway, good) = (gateway(), sign(b"key", &format!("/a?expires={EXPIRES}")));
        assert_eq!(status(&gateway, &good), 200);
        let twice = sign(b"key", &format!("/a?expires=1&expires={EXPIRES}"));
        for bad in [
            "/a",
            "/a?",
            &good.replace("/a", "/b"),
            &good.replace(EXPIRES, "1767225631"),
            &good.replace("&signature", "&x=1&signature"),
            &format!("{good}&x=1"),
            &good[..good.len() - 1],
            &good[..good.len() - 2],
            &good.replace("signature=", "signature=0x"),
            &good.to_uppercase(),
            &sign(b"another", &format!("/a?expires={EXPIRES}")),
            &sign(b"", &format!("/a?expires={EXPIRES}")),
            &sign(b"key", "/a?expires=never"),
            &sign(b"key", "/a?x=1"),
            &sign(b"key", "/a"),
            &twice,
        ] {
            assert_eq!(status(&gateway, bad), 403, "{bad}");
        }
        assert_eq!(gateway.request(Request::post(&good)).reply().status(), 403);
    }

    #[test]
    fn keys_are_exchanged_while_there_are_two() {
        let configuration = r#"{ "secrets": ["new", "old"] }"#;
        let gateway = TestGateway::<SignedUrl>::with_secrets(configuration, &[("new", b"2"), ("old", b"1")]).unwrap();
        let path = format!("/a?expires={EXPIRES}");
        for (key, expected) in [("1", 200), ("2", 200), ("3", 403)] {
            assert_eq!(status(&gateway, &sign(key.as_bytes(), &path)), expected);
        }
        gateway.set_secret("old", b"3");
        assert_eq!((status(&gateway, &sign(b"1", &path)), status(&gateway, &sign(b"3", &path))), (403, 200));
    }

    #[test]
    fn the_configuration_is_checked() {
        let error = |text: &str| TestGateway::<SignedUrl>::new(text).err().unwrap();
        assert!(error("{}").contains("`signing-key` is not granted"));
        assert!(error(r#"{ "secrets": [] }"#).contains("secrets"));
        assert!(error(r#"{ "expires": "a&b" }"#).contains("expires"));
    }
}
