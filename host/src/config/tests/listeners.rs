//! What a listener may say besides its address.

use http::StatusCode;

use super::super::{CertificateFiles, ClientAuth, ListenerOptions, RedirectHttps, Tls, TlsProfile};
use super::*;

/// A config file whose only listener says this.
fn with(options: &str) -> Folder {
    let rest = "[upstreams.orders]\nendpoints = [\"orders:80\"]\n";
    Folder::with(format!("[[listeners]]\naddress = \"127.0.0.1:0\"\n{options}\n{rest}"))
}

fn options(text: &str) -> ListenerOptions {
    with(text).load().listeners[0].options.clone()
}

#[test]
fn a_listener_has_no_options_unless_it_says_so() {
    assert_eq!(options(""), ListenerOptions::default());
    assert_eq!(options("redirect-https = false\nproxy-protocol = false"), ListenerOptions::default());
}

#[test]
fn certificates_are_one_pair_or_several() {
    let folder = with("tls = { cert = \"tls/a.pem\", key = \"/etc/a.key\" }");
    let config = folder.load();
    let one = CertificateFiles { cert: folder.path("tls/a.pem"), key: "/etc/a.key".into() };
    let tls = Tls { certificates: vec![one], profile: TlsProfile::Intermediate, client_auth: None };
    assert_eq!(config.listeners[0].options.tls, Some(tls));
    let watched = [folder.path("tollgate.toml"), "/etc/a.key".into(), folder.path("tls/a.pem")];
    assert_eq!(config.files, watched, "they are watched");
    let text = "[listeners.tls]\nprofile = \"modern\"\nclient-auth = { ca = \"ca.pem\", mode = \"optional\" }\n\
                certificates = [{ cert = \"a.pem\", key = \"a.key\" }, { cert = \"b.pem\", key = \"b.key\" }]";
    let folder = with(text);
    let pair = |name: &str| {
        let file = |ending: &str| folder.path(&format!("{name}.{ending}"));
        CertificateFiles { cert: file("pem"), key: file("key") }
    };
    let tls = folder.load().listeners[0].options.tls.clone().unwrap();
    assert_eq!((tls.certificates, tls.profile), (vec![pair("a"), pair("b")], TlsProfile::Modern));
    assert_eq!(tls.client_auth, Some(ClientAuth { ca: folder.path("ca.pem"), required: false }));
}

#[test]
fn a_redirection_has_a_status_and_a_port() {
    let redirect = |text: &str| options(&format!("redirect-https = {text}")).redirect_https.unwrap();
    assert_eq!(redirect("true"), RedirectHttps { status: StatusCode::PERMANENT_REDIRECT, port: 443 });
    assert_eq!(redirect("301"), RedirectHttps { status: StatusCode::MOVED_PERMANENTLY, port: 443 });
    assert_eq!(redirect("{ port = 8443 }"), RedirectHttps { status: StatusCode::PERMANENT_REDIRECT, port: 8443 });
}

#[test]
fn hsts_is_an_age_or_a_table() {
    let hsts = |text: &str| options(&format!("tls = {{ cert = \"a\", key = \"b\" }}\nhsts = {text}")).hsts.unwrap();
    assert_eq!(hsts("\"24h\""), "max-age=86400");
    assert_eq!(hsts("\"0s\""), "max-age=0");
    let all = "{ max-age = \"17520h\", include-subdomains = true, preload = true }";
    assert_eq!(hsts(all), "max-age=63072000; includeSubDomains; preload");
}

#[test]
fn each_mistake_has_a_line_and_a_remedy() {
    for (text, problems) in [
        (
            "tls = [{ cert = \"a\", key = \"b\" }]",
            &["3: listeners[0].tls: is an array, not a table; \
               write tls = { certificates = [ { cert = \"…\", key = \"…\" }, … ] }"][..],
        ),
        (
            "tls = { cert = \"a\", profil = \"modern\" }",
            &[
                "3: listeners[0].tls.key: is missing; add key = \"FILE.pem\"",
                "3: listeners[0].tls.profil: unknown key; did you mean \"profile\"?",
            ],
        ),
        (
            "tls = { cert = \"a\", key = \"b\", certificates = [] }",
            &[
                "3: listeners[0].tls.certificates: is empty; add { cert = \"…\", key = \"…\" }",
                "3: listeners[0].tls: has certificates and cert or key beside them; move the pair into certificates",
            ],
        ),
        (
            "tls = { cert = \"a\", key = \"b\", profile = \"old\", client-auth = { mode = \"maybe\" } }",
            &[
                "3: listeners[0].tls.client-auth.ca: is missing; add ca = \"FILE.pem\"",
                "3: listeners[0].tls.profile: \"old\" is no profile; \
                 write \"modern\" (TLS 1.3) or \"intermediate\" (1.2 too)",
                "3: listeners[0].tls.client-auth.mode: \"maybe\" is no mode; write \"required\" or \"optional\"",
            ],
        ),
        (
            "redirect-https = 200",
            &["3: listeners[0].redirect-https: 200 is no status that redirects; write 308, 307, 302 or 301"],
        ),
        (
            "redirect-https = true\ntls = { cert = \"a\", key = \"b\" }",
            &["3: listeners[0].redirect-https: this listener is https itself; put it on the listener without tls"],
        ),
        (
            "hsts = \"24h\"",
            &["3: listeners[0].hsts: is for listeners with tls only (RFC 6797, section 7.2); \
               move it to the listener with tls"],
        ),
        (
            "proxy-protocol = { trusted = [\"10.0.0.0/33\"] }",
            &["3: listeners[0].proxy-protocol.trusted[0]: \"10.0.0.0/33\" is no network; write it like \"10.0.0.0/8\""],
        ),
        (
            "proxy-protocol = { trusted = [] }",
            &["3: listeners[0].proxy-protocol.trusted: is empty; \
               write proxy-protocol = true to believe everybody who can connect"],
        ),
    ] {
        let problems: Vec<_> = problems.iter().map(|problem| format!("tollgate.toml:{problem}")).collect();
        assert_eq!(with(text).problems(), problems, "{text}");
    }
}
