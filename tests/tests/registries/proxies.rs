//! The way to registries through a proxy. Nothing leads through one to this machine itself, so it has other names here.

use tollgate_tests::{Authority, Binary, Finished, Folder, ForwardProxy, Registry, filter};

use super::run;

/// A folder with a filter.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("headers.wasm", filter("headers"));
    folder
}

/// `tollgate filter push` to a place, with these variables in the environment.
fn push(folder: &Folder, environment: &[(&str, &str)], to: &str, more: &[&str]) -> Finished {
    Binary::finish_with(folder.path(), environment, &[&["filter", "push", "headers.wasm", to], more].concat())
}

fn port(registry: &Registry) -> String {
    registry.host().rsplit_once(':').unwrap().1.to_owned()
}

#[test]
fn a_registry_in_clear_is_asked_through_the_proxy_of_the_environment() {
    let (registry, proxy, folder) = (Registry::start(), ForwardProxy::start(), folder());
    let host = format!("127.1:{}", port(&registry));
    let (to, url) = (format!("{host}/acme/headers:1"), proxy.url("story:s3cret@"));
    let pushed = push(&folder, &[("HTTP_PROXY", &url)], &to, &["--plain-http"]);
    assert!(pushed.status.success(), "{pushed:?}");
    let asked = proxy.requests();
    let expected = format!("PUT http://{host}/v2/acme/headers/manifests/1 ");
    assert!(asked.iter().any(|line| line.starts_with(&expected)), "{asked:#?}");
    let there = run(&folder, &["list", &format!("{}/acme/headers", registry.host())]);
    assert_eq!(there.stdout, "1\n", "it is there: {there:?}");

    let refused = push(&folder, &[("HTTP_PROXY", &proxy.url(""))], &to, &["--plain-http"]);
    assert!(refused.stderr.contains("answers 407 Proxy Authentication Required"), "{refused:?}");

    let before = proxy.requests().len();
    let around = push(&folder, &[("HTTP_PROXY", &url), ("NO_PROXY", "127.1")], &to, &["--plain-http"]);
    assert!(around.status.success(), "{around:?}");
    let local = format!("{}/acme/headers:1", registry.host());
    assert!(push(&folder, &[("ALL_PROXY", &url)], &local, &[]).status.success());
    assert_eq!(proxy.requests().len(), before);
}

#[test]
fn a_registry_with_tls_is_spoken_to_through_a_tunnel() {
    let authority = Authority::new();
    let (name, proxy, folder) = ("::ffff:7f00:1", ForwardProxy::start(), folder());
    let registry = Registry::start_with_tls(&authority.server(&[name]));
    let host = format!("[{name}]:{}", port(&registry));
    folder.write("ca.pem", authority.pem());
    folder.write("tollgate.toml", format!("[registries.\"{host}\"]\nca = \"ca.pem\"\n"));
    let to = format!("{host}/acme/headers:1");
    let push = |environment: &[(&str, &str)]| push(&folder, environment, &to, &["--config", "tollgate.toml"]);
    let pushed = push(&[("HTTPS_PROXY", &proxy.url("story:s3cret@"))]);
    assert!(pushed.status.success(), "{pushed:?}");
    let asked = proxy.requests();
    let is_tunnel = |line: &String| line.starts_with(&format!("CONNECT {host} "));
    assert!(!asked.is_empty() && asked.iter().all(is_tunnel), "{asked:#?}");

    let refused = push(&[("HTTPS_PROXY", &proxy.url("story:wrong@"))]);
    assert!(refused.stderr.contains(" answers 401 Unauthorized") && !refused.stderr.contains("wrong"), "{refused:?}");
    let nobody = push(&[("HTTPS_PROXY", "http://127.0.0.1:1")]);
    assert!(nobody.stderr.contains("the proxy 127.0.0.1:1 cannot be reached: "), "{nobody:?}");
    let senseless = push(&[("HTTPS_PROXY", "socks5://127.0.0.1:1")]);
    assert!(senseless.stderr.contains("HTTPS_PROXY in the environment is no address of a proxy"), "{senseless:?}");
}
