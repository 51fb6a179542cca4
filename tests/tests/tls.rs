//! Stories of TLS: certificates by name, versions, clients with certificates, sessions, and files that change.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io::Read;
use std::net::SocketAddr;

use tollgate_tests::{
    Authority, Connection, Gate, Pair, Request, Response, RunningGateway, TestGateway, TlsClient, Upstream, curl,
    eventually, guest, tool,
};

const ONE: &str = "{ cert = \"one.pem\", key = \"one.key\" }";

/// With `{tls}` on its listener, and this after it.
fn config(tls: &str, more: &str) -> String {
    format!(
        "[[listeners]]\naddress = \"{{listen}}\"\ntls = {tls}\n{more}\n\
         [upstreams.only]\nendpoints = [\"{{upstream}}\"]\n[[routes]]\nupstream = \"only\"\n"
    )
}

/// A gateway whose files `one.pem`, `one.key`, … hold these pairs, and `ca.pem` the authority.
fn files(authority: &Authority, pairs: &[(&str, &Pair)], text: &str) -> TestGateway {
    let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into()).file("ca.pem", authority.pem());
    let with_pair = |gateway: TestGateway, (name, pair): &(&str, &Pair)| {
        gateway.file(&format!("{name}.pem"), &pair.cert).file(&format!("{name}.key"), &pair.key)
    };
    pairs.iter().fold(gateway.config(text), with_pair)
}

/// curl with the authority of the gateway's folder and `gateway.test` as its name.
fn curl_to(gateway: &RunningGateway, args: &[&str]) -> Result<Response, i32> {
    let authority = gateway.path().join("ca.pem").display().to_string();
    let resolve = format!("gateway.test:{}:127.0.0.1", gateway.address().port());
    let url = format!("https://gateway.test:{}/a?b=c", gateway.address().port());
    curl(&[&["--cacert", &authority, "--resolve", &resolve, &url], args].concat())
}

mod handshake {
    use super::*;

    #[test]
    fn curl_speaks_either_protocol_by_alpn() {
        let (upstream, authority) = (Upstream::start(), Authority::new());
        let pair = authority.server(&["gateway.test"]);
        let gateway = files(&authority, &[("one", &pair)], &config(ONE, "")).upstream(&upstream).start();
        for (args, version) in [(["--http1.1"], "HTTP/1.1"), (["--http2"], "HTTP/2"), (["--no-alpn"], "HTTP/1.1")] {
            let response = curl_to(&gateway, &args).unwrap();
            assert_eq!(response.version, version);
            let echo = response.echo();
            assert_eq!((echo.method.as_str(), echo.path.as_str()), ("GET", "/a?b=c"));
            assert_eq!(echo.field("x-forwarded-proto"), Some("https"));
            assert_eq!(echo.field("host"), Some(format!("gateway.test:{}", gateway.address().port()).as_str()));
        }
    }

    #[test]
    fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
        let authority = Authority::new();
        let [one, two, below] =
            [&["one.test"][..], &["two.test", "Also.Two.test"], &["*.below.test"]].map(|names| authority.server(names));
        let pairs = [("one", &one), ("two", &two), ("below", &below)];
        let tls = "{ certificates = [{ cert = \"one.pem\", key = \"one.key\" }, { cert = \"two.pem\", key = \"two.key\" }, \
                   { cert = \"below.pem\", key = \"below.key\" }] }";
        let gateway = files(&authority, &pairs, &config(tls, "")).start();
        let client = TlsClient::trusting(&authority);
        for (name, pair) in [("one.test", &one), ("two.test", &two), ("also.two.test", &two), ("a.below.test", &below)]
        {
            assert!(client.connect(gateway.address(), name).unwrap().is_with(pair), "{name}");
        }
        for name in ["other.test", "a.b.below.test", "below.test", "127.0.0.1"] {
            let error = client.connect(gateway.address(), name).map(drop).unwrap_err();
            assert!(error.to_string().contains("not valid for"), "{name} gets the first one: {error}");
        }
    }

    #[test]
    fn the_profile_says_which_versions_are_spoken() {
        let authority = Authority::new();
        let pair = authority.server(&["gateway.test"]);
        let modern = "{ cert = \"one.pem\", key = \"one.key\", profile = \"modern\" }";
        for (tls, old_is_served) in [(modern, false), (ONE, true)] {
            let gateway = files(&authority, &[("one", &pair)], &config(tls, "")).start();
            assert!(TlsClient::trusting(&authority).connect(gateway.address(), "gateway.test").is_ok());
            let old = TlsClient::old(&authority).connect(gateway.address(), "gateway.test");
            assert_eq!(old.is_ok(), old_is_served, "{tls}");
        }
    }

    #[test]
    fn what_is_no_handshake_is_counted_and_the_listener_goes_on() {
        let authority = Authority::new();
        let pair = authority.server(&["gateway.test"]);
        let gateway = files(&authority, &[("one", &pair)], &config(ONE, "")).workers(1).start();
        let mut plain = gateway.connect();
        plain.send(&Request::get("/"));
        assert_ne!(plain.some(), b"HTTP", "no HTTP in clear");
        let stranger = TlsClient::trusting(&Authority::new());
        assert!(stranger.connect(gateway.address(), "gateway.test").is_err());
        eventually("both are counted", || gateway.metric("tollgate_tls_handshake_failures_total") >= 2.0);
        assert!(TlsClient::trusting(&authority).connect(gateway.address(), "gateway.test").is_ok());
    }

    #[test]
    fn a_handshake_that_does_not_go_on_is_cut() {
        let authority = Authority::new();
        let pair = authority.server(&["gateway.test"]);
        let text = config(ONE, "[limits]\nheader-timeout = \"1s\"");
        let gateway = files(&authority, &[("one", &pair)], &text).start();
        let mut silent = gateway.connect();
        let mut slow = gateway.connect();
        slow.write([0x16, 3, 1, 2, 0, 1]);
        silent.expect_close();
        slow.expect_close();
    }

    #[test]
    fn sessions_are_resumed_by_any_worker() {
        let (upstream, authority) = (Upstream::start(), Authority::new());
        let pair = authority.server(&["gateway.test"]);
        let gateway = files(&authority, &[("one", &pair)], &config(ONE, "")).upstream(&upstream).workers(4).start();
        for client in [TlsClient::trusting(&authority), TlsClient::old(&authority)] {
            let mut first = client.connect(gateway.address(), "gateway.test").unwrap();
            assert!(!first.is_resumed());
            first.get("/").unwrap();
            for _ in 0..8 {
                let mut next = client.connect(gateway.address(), "gateway.test").unwrap();
                assert!(next.is_resumed());
                next.get("/").unwrap();
            }
        }
    }

    /// Versions, kinds of ciphers and the best known mistakes: what takes some seconds rather than minutes.
    #[test]
    fn testssl_finds_nothing_weak() {
        let authority = Authority::new();
        let pair = authority.server(&["localhost"]);
        let gateway = files(&authority, &[("one", &pair)], &config(ONE, "")).start();
        let url = format!("https://localhost:{}", gateway.address().port());
        let findings = gateway.path().join("findings.csv");
        let output = tool("testssl", "testssl.sh", |command| {
            let checks = ["--protocols", "--std", "--heartbleed", "--renegotiation", "--crime"];
            command.args(["--quiet", "--warnings", "off", "--color", "0", "--ip", "127.0.0.1", "--csvfile"]);
            command.arg(&findings).args(checks).arg(&url)
        });
        let said = std::fs::read_to_string(&findings).unwrap_or_default();
        let severity = |line: &str| line.split("\",\"").nth(3).unwrap_or_default().to_owned();
        let bad: Vec<&str> =
            said.lines().skip(1).filter(|line| !["OK", "INFO", "WARN"].contains(&&*severity(line))).collect();
        assert!(bad.is_empty(), "{}", bad.join("\n"));
        for finding in
            ["\"TLS1_3\"", "\"TLS1\"", "\"ALPN_HTTP2\"", "\"cipherlist_STRONG\"", "\"heartbleed\"", "\"CRIME_TLS\""]
        {
            assert!(said.contains(finding), "{finding} is not in {said}{}", String::from_utf8_lossy(&output.stdout));
        }
    }

    #[test]
    fn openssl_finds_nothing_weak() {
        let authority = Authority::new();
        let pair = authority.server(&["gateway.test"]);
        let gateway = files(&authority, &[("one", &pair)], &config(ONE, "")).start();
        let address = gateway.address().to_string();
        let shakes = |args: &[&str]| {
            let output =
                tool("openssl", "openssl", |command| command.args(["s_client", "-connect", &address]).args(args));
            String::from_utf8_lossy(&output.stdout).contains("Server certificate")
        };
        // What the client library would not offer by itself, it is told to.
        let weak = "ALL:@SECLEVEL=0";
        assert!(shakes(&["-tls1_2"]) && shakes(&["-tls1_3"]));
        for args in [["-tls1", "-cipher", weak], ["-tls1_1", "-cipher", weak]] {
            assert!(!shakes(&args), "{args:?}");
        }
        for cipher in ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "NULL"]
        {
            let cipher = format!("{cipher}:@SECLEVEL=0");
            assert!(!shakes(&["-tls1_2", "-cipher", &cipher]), "{cipher}");
        }
        assert!(shakes(&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]));
    }
}

mod clients {
    use super::*;

    const REQUIRED: &str =
        "{ cert = \"one.pem\", key = \"one.key\", client-auth = { ca = \"ca.pem\", mode = \"required\" } }";
    const OPTIONAL: &str =
        "{ cert = \"one.pem\", key = \"one.key\", client-auth = { ca = \"ca.pem\", mode = \"optional\" } }";

    /// Tells the facts of the handshake.
    const TELL: &str = "[policies.tell]\nfilter = \"policies/facts.wasm\"\nconfig = { in = \"request\", \
         declare = [\":scheme\", \"@tls-version\", \"@tls-sni\", \"@tls-subject\", \"@tls-san\", \"@spiffe-id\"] }\n";

    fn telling(tls: &str) -> String {
        config(tls, TELL) + "policies = [\"tell\"]\n"
    }

    fn start(authority: &Authority, tls: &str) -> RunningGateway {
        let pair = authority.server(&["gateway.test"]);
        files(authority, &[("one", &pair)], &telling(tls)).module("facts", guest("facts")).start()
    }

    fn told(client: &TlsClient, address: SocketAddr) -> String {
        let text = client.connect(address, "gateway.test").unwrap().get("/").unwrap();
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    #[test]
    fn filters_read_what_a_clients_certificate_says() {
        let authority = Authority::new();
        let own = authority.client("alice", &["spiffe://example/alice"]);
        for tls in [REQUIRED, OPTIONAL] {
            let gateway = start(&authority, tls);
            let client = TlsClient::with_certificate(&authority, &own);
            let facts = ":scheme=https\n@tls-version=TLSv1.3\n@tls-sni=gateway.test\n@tls-subject=O=Example,CN=alice\n\
                         @tls-san=URI:spiffe://example/alice\n@spiffe-id=spiffe://example/alice";
            assert_eq!(told(&client, gateway.address()), facts);
            let mut again = client.connect(gateway.address(), "gateway.test").unwrap();
            assert!(again.is_resumed());
            assert!(again.get("/").unwrap().ends_with(facts), "a resumed session is of the same client");
        }
    }

    #[test]
    fn without_a_certificate_only_an_optional_one_is_missed() {
        let authority = Authority::new();
        let client = TlsClient::trusting(&authority);
        let gateway = start(&authority, OPTIONAL);
        let facts = ":scheme=https\n@tls-version=TLSv1.3\n@tls-sni=gateway.test\n@tls-subject absent\n@tls-san absent\n\
                     @spiffe-id absent";
        assert_eq!(told(&client, gateway.address()), facts);
        let gateway = start(&authority, REQUIRED);
        // With TLS 1.3 a client believes that it is done before its certificate has been looked at.
        let refused = client.connect(gateway.address(), "gateway.test").and_then(|mut tls| tls.get("/"));
        assert!(refused.is_err(), "{refused:?}");
        eventually("it is counted", || gateway.metric("tollgate_tls_handshake_failures_total") == 1.0);
    }

    #[test]
    fn a_certificate_of_another_authority_is_refused() {
        let (authority, other) = (Authority::new(), Authority::new());
        let forged = other.client("alice", &["spiffe://example/alice"]);
        for tls in [REQUIRED, OPTIONAL] {
            let gateway = start(&authority, tls);
            let client = TlsClient::with_certificate(&authority, &forged);
            assert!(client.connect(gateway.address(), "gateway.test").and_then(|mut tls| tls.get("/")).is_err());
        }
    }

    #[test]
    fn the_access_line_names_the_client() {
        let authority = Authority::new();
        let (pair, own) = (authority.server(&["gateway.test"]), authority.client("a,O=Admin", &["spiffe://example/a"]));
        let gateway = files(&authority, &[("one", &pair)], &config(REQUIRED, "")).run(&["--access-log"]);
        let client = TlsClient::with_certificate(&authority, &own);
        client.connect(gateway.address(), "gateway.test").unwrap().get("/").unwrap();
        let line = gateway.line(&["access", "status=502"]);
        for part in
            ["tls=\"TLSv1.3\"", "sni=\"gateway.test\"", "spiffe_id=\"spiffe://example/a\"", "CN=a\\\\,O\\\\=Admin"]
        {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
}

mod files_change {
    use super::*;

    #[test]
    fn new_connections_get_the_new_certificate_and_old_ones_go_on() {
        let (upstream, authority) = (Upstream::start(), Authority::new());
        let (old, new) = (authority.server(&["gateway.test"]), authority.server(&["gateway.test"]));
        let gateway = files(&authority, &[("one", &old)], &config(ONE, "")).upstream(&upstream).start();
        let client = TlsClient::trusting(&authority);
        let mut running = client.connect(gateway.address(), "gateway.test").unwrap();
        assert!(running.is_with(&old));
        running.get("/").unwrap();
        let address = gateway.address();
        // Between the two the key does not fit, and the old pair goes on.
        gateway.replace_file("one.pem", &new.cert);
        gateway.replace_file("one.key", &new.key);
        let shows_new = || TlsClient::trusting(&authority).connect(address, "gateway.test").unwrap().is_with(&new);
        eventually("the new certificate is shown", shows_new);
        assert!(!client.connect(address, "gateway.test").unwrap().is_resumed(), "a new certificate ends old sessions");
        assert!(running.get("/").unwrap().starts_with("HTTP/1.1 200"));
        assert_eq!(gateway.address(), address);
    }

    #[test]
    fn what_is_no_good_keeps_the_old_certificate_and_says_why() {
        let (upstream, authority) = (Upstream::start(), Authority::new());
        let (old, new) = (authority.server(&["gateway.test"]), authority.server(&["gateway.test"]));
        let files = files(&authority, &[("one", &old)], &config(ONE, "")).upstream(&upstream);
        let gateway = files.run(&["--admin", "127.0.0.1:0"]);
        let client = TlsClient::trusting(&authority);
        let shows = |pair: &Pair| client.connect(gateway.address(), "gateway.test").unwrap().is_with(pair);
        assert!(shows(&old));
        let folder = gateway.files().folder();
        for (file, content, message) in [
            ("one.key", new.key.as_str(), "one.key: is not the key of the certificate in"),
            ("one.key", "nonsense", "one.key: holds no private key; write the key as PEM"),
            ("one.pem", "nonsense", "one.pem: holds no certificate; write PEM certificates"),
        ] {
            folder.replace(file, content);
            gateway.line(&[message]);
            assert!(shows(&old), "{message}");
        }
        std::fs::remove_file(folder.path().join("one.pem")).unwrap();
        gateway.line(&["one.pem: cannot be read: there is no such file; correct the path"]);
        assert!(shows(&old));
        let page = || Connection::open(gateway.admin_address()).request(Request::get("/policies")).json();
        let shown = || page()["certificates"]["last-error"].as_str().is_some_and(|text| text.contains("no such file"));
        eventually("the admin page says so", shown);
        folder.replace("one.key", &new.key);
        folder.replace("one.pem", &new.cert);
        eventually("the new certificate is shown", || shows(&new));
        assert!(page()["certificates"]["last-error"].is_null());
    }

    #[test]
    fn without_a_good_certificate_nothing_starts() {
        let authority = Authority::new();
        let (one, two) = (authority.server(&["one.test"]), authority.server(&["two.test"]));
        let say = |pair: &Pair, tls: &str| files(&authority, &[("one", pair)], &config(tls, "")).check().unwrap_err();
        let mixed = Pair { cert: one.cert.clone(), key: two.key.clone() };
        assert!(say(&mixed, ONE).starts_with("one.key: is not the key of the certificate in "), "{}", say(&mixed, ONE));
        let missing =
            "{ certificates = [{ cert = \"no.pem\", key = \"no.key\" }, { cert = \"one.pem\", key = \"one.key\" }] }";
        assert_eq!(
            say(&one, missing),
            "no.pem: cannot be read: there is no such file; correct the path, or put the file there\n\
             no.key: cannot be read: there is no such file; correct the path, or put the file there"
        );
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let encrypted = Pair { cert: one.cert.clone(), key: encrypted.to_owned() };
        assert_eq!(
            say(&encrypted, ONE),
            "one.key: the private key is encrypted; decrypt it: openssl pkey -in OLD -out NEW"
        );
        let no_ca =
            "{ cert = \"one.pem\", key = \"one.key\", client-auth = { ca = \"one.key\", mode = \"required\" } }";
        assert!(say(&one, no_ca).starts_with("one.key: holds no certificate; write PEM certificates"));
        let starts = files(&authority, &[("one", &mixed)], &config(ONE, "")).try_start();
        assert!(starts.err().is_some_and(|message| message.contains("is not the key of the certificate")));
    }

    #[test]
    fn a_listener_can_begin_to_speak_tls_on_the_same_sockets() {
        let (upstream, authority) = (Upstream::start(), Authority::new());
        let pair = authority.server(&["gateway.test"]);
        let plain = config(ONE, "").replace(&format!("tls = {ONE}\n"), "");
        let gateway = files(&authority, &[("one", &pair)], &plain).upstream(&upstream).workers(1).start();
        let (address, mut running) = (gateway.address(), gateway.connect());
        assert_eq!(running.request(Request::get("/")).status, 200);
        gateway.change(|gateway| gateway.write_config(&config(ONE, "")));
        let client = TlsClient::trusting(&authority);
        assert!(client.connect(address, "gateway.test").unwrap().get("/").unwrap().starts_with("HTTP/1.1 200"));
        assert_eq!(running.request(Request::get("/")).status, 200, "what was accepted in clear stays so");
    }
}

mod https_only {
    use super::*;

    fn two_listeners(of_plain: &str, of_tls: &str) -> String {
        format!(
            "[[listeners]]\nname = \"plain\"\naddress = \"{{listen}}\"\n{of_plain}\n\
             [[listeners]]\nname = \"tls\"\naddress = \"{{listen}}\"\ntls = {ONE}\n{of_tls}\n\
             [upstreams.only]\nendpoints = [\"{{upstream}}\"]\n[[routes]]\nupstream = \"only\"\n"
        )
    }

    fn start(upstream: &Upstream, of_plain: &str, of_tls: &str) -> (RunningGateway, Authority) {
        let authority = Authority::new();
        let pair = authority.server(&["gateway.test"]);
        let text = two_listeners(of_plain, of_tls);
        (files(&authority, &[("one", &pair)], &text).upstream(upstream).workers(1).start(), authority)
    }

    #[test]
    fn everything_is_sent_to_https() {
        let upstream = Upstream::start();
        for (option, status, location) in [
            ("redirect-https = true", 308, "https://api.test/a?b=c"),
            ("redirect-https = 301", 301, "https://api.test/a?b=c"),
            ("redirect-https = { status = 302, port = 8443 }", 302, "https://api.test:8443/a?b=c"),
        ] {
            let (gateway, _) = start(&upstream, option, "");
            let response = gateway.send(Request::post("/a?b=c", "body").field("host", "api.test:8080"));
            assert_eq!((response.status, response.field("location")), (status, Some(location)), "{option}");
            assert_eq!(gateway.send(Request::get("/").field("host", "a/b@c")).status, 400);
        }
        assert!(upstream.requests().is_empty());
    }

    #[test]
    fn hsts_is_said_on_tls_only() {
        let upstream = Upstream::start();
        let hsts = "hsts = { max-age = \"24h\", include-subdomains = true }";
        let (gateway, authority) = start(&upstream, "", hsts);
        let mut tls = TlsClient::trusting(&authority).connect(gateway.address_of("tls"), "gateway.test").unwrap();
        let head = tls.get("/").unwrap();
        assert!(head.contains("\r\nstrict-transport-security: max-age=86400; includeSubDomains\r\n"), "{head}");
        assert_eq!(gateway.get("/").field("strict-transport-security"), None);
    }
}

mod ends {
    use super::*;

    #[test]
    fn an_exchange_over_tls_ends_before_the_gateway_does() {
        let (gate, authority) = (Gate::new(), Authority::new());
        let upstream = Upstream::answering(tollgate_tests::Answer::status(200).wait(&gate).body("done"));
        let pair = authority.server(&["gateway.test"]);
        let gateway = files(&authority, &[("one", &pair)], &config(ONE, "")).upstream(&upstream).start();
        let mut client = TlsClient::trusting(&authority).connect(gateway.address(), "gateway.test").unwrap();
        let asking = std::thread::spawn(move || client.get("/"));
        eventually("it is under way", || upstream.requests().len() == 1);
        let stopping = std::thread::spawn(move || gateway.shutdown());
        gate.open();
        assert!(asking.join().unwrap().unwrap().ends_with("done"));
        stopping.join().unwrap();
    }

    #[test]
    fn a_connection_that_ends_in_its_handshake_is_forgotten() {
        let authority = Authority::new();
        let pair = authority.server(&["gateway.test"]);
        let gateway = files(&authority, &[("one", &pair)], &config(ONE, "")).workers(1).start();
        for _ in 0..3 {
            let mut half = std::net::TcpStream::connect(gateway.address()).unwrap();
            std::io::Write::write_all(&mut half, &[0x16, 3, 1, 2, 0, 1]).unwrap();
            half.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = half.read_to_end(&mut Vec::new());
        }
        eventually("none is left", || gateway.metric("tollgate_connections_open") == 0.0);
        drop(Connection::open(gateway.address()));
    }
}
