//! Stories of upstreams that are spoken to over TLS. The other end is nginx.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::SocketAddr;

use tollgate_tests::{
    Answer, Authority, Binary, Http2Upstream, Pair, Peer, PeerClient, Request, TestGateway, Upstream, eventually,
};

const NAME: &str = "orders.test";

/// What nginx tells about a connection.
const TOLD: &str = "return 200 \"$ssl_protocol|$ssl_server_name|$ssl_alpn_protocol|$server_protocol|$ssl_client_s_dn|$ssl_session_reused\";";

/// nginx with this certificate, which does as told.
fn server(pair: &Pair, listen: &str, more: &str) -> Peer {
    // nginx leaves the newest out if it is not told.
    let protocols = if more.contains("ssl_protocols") { "" } else { "ssl_protocols TLSv1.2 TLSv1.3;" };
    let block = format!(
        "server {{ listen {{listen}} ssl {listen}; ssl_certificate {{folder}}/cert.pem; \
         ssl_certificate_key {{folder}}/key.pem; {protocols} {more} }}"
    );
    Peer::nginx(&block, &[("cert.pem", &pair.cert), ("key.pem", &pair.key)])
}

/// With these keys on the upstream; the authority's own certificate is in `ca.pem`.
fn gateway(server: SocketAddr, authority: &Authority, keys: &str) -> TestGateway {
    let config = format!(
        "[[listeners]]\naddress = \"{{listen}}\"\n[upstreams.only]\nendpoints = [\"localhost:{}\"]\n{keys}\n\
         [[routes]]\nupstream = \"only\"\n",
        server.port()
    );
    TestGateway::new().config(&config).file("ca.pem", authority.pem()).workers(1)
}

const SNI: &str = "tls = { ca = \"ca.pem\", sni = \"orders.test\" }";

mod handshakes {
    use super::*;

    #[test]
    fn the_server_is_asked_for_by_its_host() {
        let authority = Authority::new();
        let server = server(&authority.server(&["localhost"]), "", TOLD);
        let gateway = gateway(server.address(), &authority, "tls = { ca = \"ca.pem\" }").start();
        assert_eq!(gateway.get("/").text(), "TLSv1.3|localhost|http/1.1|HTTP/1.1||.");
    }

    #[test]
    fn it_may_be_asked_for_by_another_name() {
        let authority = Authority::new();
        let server = server(&authority.server(&[NAME]), "", TOLD);
        let gateway = gateway(server.address(), &authority, SNI).start();
        assert_eq!(gateway.get("/").text(), "TLSv1.3|orders.test|http/1.1|HTTP/1.1||.");
    }

    #[test]
    fn an_older_server_is_spoken_to_as_well() {
        let authority = Authority::new();
        let server = server(&authority.server(&[NAME]), "", &format!("ssl_protocols TLSv1.2; {TOLD}"));
        let server_of_old = gateway(server.address(), &authority, SNI).start().get("/");
        assert!(server_of_old.text().starts_with("TLSv1.2|orders.test|"), "{}", server_of_old.text());
    }

    #[test]
    fn who_cannot_be_verified_gets_nothing() {
        let (authority, other) = (Authority::new(), Authority::new());
        for pair in [other.server(&[NAME]), authority.server(&["someone.else.test"])] {
            let server = server(&pair, "", TOLD);
            let gateway = gateway(server.address(), &authority, SNI).run(&["--access-log"]);
            assert_eq!(gateway.get("/").status, 502);
            gateway.line(&["upstream failure", "cannot connect to localhost", "invalid peer certificate"]);
        }
        let plain = Http2Upstream::start();
        assert_eq!(super::gateway(plain.address(), &authority, SNI).start().get("/").status, 502);
        assert_eq!(plain.requests(), 0);
    }

    #[test]
    fn a_server_that_asks_who_is_there_is_told() {
        let authority = Authority::new();
        let client = authority.client("gateway", &[]);
        let more = format!("ssl_verify_client on; ssl_client_certificate {{folder}}/ca.pem; {TOLD}");
        let pair = authority.server(&[NAME]);
        let block = format!(
            "server {{ listen {{listen}} ssl; ssl_certificate {{folder}}/cert.pem; ssl_certificate_key {{folder}}/key.pem; {more} }}"
        );
        let files = [("cert.pem", pair.cert.as_str()), ("key.pem", &pair.key), ("ca.pem", authority.pem())];
        let server = Peer::nginx(&block, &files);
        let keys =
            "tls = { ca = \"ca.pem\", sni = \"orders.test\", client-cert = \"own.pem\", client-key = \"own.key\" }";
        let known =
            gateway(server.address(), &authority, keys).file("own.pem", &client.cert).file("own.key", &client.key);
        let told = known.start().get("/").text();
        assert!(told.contains("|O=Example,CN=gateway|"), "{told}");
        let unknown = gateway(server.address(), &authority, SNI).start().get("/");
        assert!(unknown.status == 400 && unknown.text().contains("No required SSL certificate"), "{}", unknown.text());
    }

    #[test]
    fn sessions_are_resumed() {
        let authority = Authority::new();
        let server = server(&authority.server(&[NAME]), "", &format!("keepalive_timeout 0; {TOLD}"));
        let gateway = gateway(server.address(), &authority, SNI).start();
        assert!(gateway.get("/").text().ends_with("|."));
        assert!(gateway.get("/").text().ends_with("|r"), "the second connection has a handshake of its own");
    }

    #[test]
    fn http2_is_agreed_upon_in_the_handshake() {
        let authority = Authority::new();
        let server = server(&authority.server(&[NAME]), "http2", TOLD);
        let keys = format!("{SNI}\nhttp2 = true");
        let told = gateway(server.address(), &authority, &keys).start().get("/").text();
        assert_eq!(told, "TLSv1.3|orders.test|h2|HTTP/2.0||.");
        let without = super::server(&authority.server(&[NAME]), "", TOLD);
        assert_eq!(gateway(without.address(), &authority, &keys).start().get("/").status, 502);
    }
}

mod messages {
    use super::*;

    #[test]
    fn ten_mebibytes_go_both_ways_and_the_connection_is_used_again() {
        let upstream = Upstream::with(|call| {
            let request = call.read_body()?;
            call.answer(&Answer::ok(request.body))
        });
        let authority = Authority::new();
        let proxy = format!("client_max_body_size 0; location / {{ proxy_pass http://{}; }}", upstream.address());
        let server = server(&authority.server(&[NAME]), "", &proxy);
        let gateway = gateway(server.address(), &authority, SNI).start();
        let body: Vec<u8> = (0..10 << 20).map(|index| (index / 7) as u8).collect();
        for _ in 0..2 {
            assert!(gateway.send(Request::post("/", body.clone())).body == body, "the body has changed");
        }
        assert_eq!(gateway.metric("tollgate_upstream_connects_total{upstream=\"only\"}"), 1.0);
    }

    #[test]
    fn a_websocket_passes() {
        let websocket = Peer::python("websocket_server");
        let authority = Authority::new();
        let proxy = format!(
            "location / {{ proxy_pass http://{}; proxy_http_version 1.1; proxy_set_header upgrade $http_upgrade; \
             proxy_set_header connection upgrade; }}",
            websocket.address()
        );
        let server = server(&authority.server(&[NAME]), "", &proxy);
        let gateway = gateway(server.address(), &authority, SNI).start();
        let uri = format!("ws://{}/", gateway.address());
        let told = PeerClient::run("websocket_client", &[&uri, "text:hello", "binary:3000000"]);
        assert_eq!(told[2..], ["text hello", "binary True"]);
    }
}

mod roots_and_files {
    use super::*;

    #[test]
    fn without_a_ca_it_is_the_systems() {
        let authority = Authority::new();
        let server = server(&authority.server(&["localhost"]), "", TOLD);
        let files = TestGateway::new().file("roots.pem", authority.pem());
        let roots = files.folder().path().join("roots.pem").display().to_string();
        let url = format!("https://localhost:{}", server.address().port());
        let args = ["run", "--listen", "127.0.0.1:0", "--upstream", &url];
        let trusting = Binary::spawn(&[("SSL_CERT_FILE", &roots)], &args);
        assert_eq!(trusting.get("/").text(), "TLSv1.3|localhost|http/1.1|HTTP/1.1||.");
        let other = files.folder().write("other.pem", Authority::new().pem()).display().to_string();
        assert_eq!(Binary::spawn(&[("SSL_CERT_FILE", &other)], &args).get("/").status, 502);
    }

    #[test]
    fn a_file_that_changes_counts_for_new_connections_and_a_bad_one_does_not() {
        let (old, new) = (Authority::new(), Authority::new());
        let server = server(&new.server(&[NAME]), "", &format!("keepalive_timeout 0; {TOLD}"));
        let gateway = gateway(server.address(), &old, SNI).start();
        assert_eq!(gateway.get("/").status, 502);
        gateway.change(|gateway| gateway.replace_file("ca.pem", new.pem()));
        assert_eq!(gateway.get("/").status, 200);
        gateway.change(|gateway| gateway.replace_file("ca.pem", "not a certificate"));
        assert_eq!((gateway.get("/").status, gateway.generation()), (200, 2));
        let problems = gateway.policies()["rejected-change"]["problems"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            gateway.relative(&problems),
            "tollgate.toml:5: upstreams.only.tls.ca: \"ca.pem\" has no valid certificate; write certificates in PEM"
        );
        gateway.change(|gateway| gateway.replace_file("ca.pem", old.pem()));
        eventually("the old authority is back", || gateway.get("/").status == 502);
    }

    #[test]
    fn a_file_that_stays_keeps_the_connections() {
        let authority = Authority::new();
        let server = server(&authority.server(&[NAME]), "", TOLD);
        let gateway = gateway(server.address(), &authority, SNI).start();
        assert_eq!(gateway.get("/").status, 200);
        gateway.change(|gateway| gateway.replace_file("ca.pem", authority.pem()));
        assert_eq!(gateway.get("/").status, 200);
        assert_eq!(gateway.metric("tollgate_upstream_connects_total{upstream=\"only\"}"), 1.0);
    }
}

mod problems {
    use super::*;

    /// What is wrong with these keys of an upstream, on line 4 and further.
    fn problem(endpoint: &str, keys: &str) -> String {
        let (authority, client, other) =
            (Authority::new(), Authority::new().client("a", &[]), Authority::new().client("b", &[]));
        let config = format!(
            "[[listeners]]\naddress = \"127.0.0.1:0\"\n[upstreams.u]\n{keys}\nendpoints = [\"{endpoint}\"]\n[[routes]]\nupstream = \"u\"\n"
        );
        let files = [
            ("ca.pem", authority.pem()),
            ("own.pem", &client.cert),
            ("own.key", &client.key),
            ("other.key", &other.key),
            ("empty.pem", ""),
        ];
        let gateway = files
            .into_iter()
            .fold(TestGateway::new().config(&config), |gateway, (name, content)| gateway.file(name, content));
        gateway.check().unwrap_err().replace("tollgate.toml:4: upstreams.u.", "")
    }

    #[test]
    fn each_has_its_message() {
        for (keys, message) in [
            ("tls = \"yes\"", "tls: is a string, not a table; write [upstreams.u.tls], or upstreams.u.tls = { … }"),
            ("tls = { verify = false }", "tls.verify: unknown key; known keys: ca, client-cert, client-key, sni"),
            (
                "tls.ca = \"none.pem\"",
                "tls.ca: \"none.pem\" cannot be read: No such file or directory (os error 2); check that the file is there and can be read",
            ),
            ("tls.ca = \"empty.pem\"", "tls.ca: \"empty.pem\" has no valid certificate; write certificates in PEM"),
            (
                "tls = { ca = \"ca.pem\", sni = \"a b\" }",
                "tls.sni: \"a b\" is not a host name; write the name that the certificate has",
            ),
            (
                "tls = { ca = \"ca.pem\", client-cert = \"own.pem\" }",
                "tls.client-cert: is without client-key; add client-key = \"…\", the private key of this certificate",
            ),
            (
                "tls = { ca = \"ca.pem\", client-key = \"own.key\" }",
                "tls.client-key: is without client-cert; add client-cert = \"…\", the certificate of this key",
            ),
            (
                "tls = { ca = \"ca.pem\", client-cert = \"own.pem\", client-key = \"own.pem\" }",
                "tls.client-key: \"own.pem\" has no valid private key; write the key in PEM, not encrypted",
            ),
            ("http2 = 2", "http2: is a number, not true or false; write true or false, without quotes"),
            (
                "ping-interval = \"30s\"",
                "ping-interval: is about HTTP/2, which this upstream is not spoken to in; add http2 = true, or remove it",
            ),
        ] {
            assert_eq!(problem("orders:443", keys), message, "{keys}");
        }
        let mismatch =
            problem("orders:443", "tls = { ca = \"ca.pem\", client-cert = \"own.pem\", client-key = \"other.key\" }");
        assert!(mismatch.starts_with("tls.client-key: \"other.key\" does not fit \"own.pem\": "), "{mismatch}");
    }
}
