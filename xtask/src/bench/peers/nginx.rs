//! nginx: as the upstream of all, as a peer with its own directives, and as a peer with Lua.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::{Peer, Setting, answers, loopback};
use crate::bench::place::{self, fill};
use crate::bench::scenarios::{Downstream, KEY, Scenario, hosts_and_prefixes};
use crate::bench::service::{self, Service};

const UPSTREAM: &str = include_str!("../configs/upstream.conf");
const PROXY: &str = include_str!("../configs/nginx.conf");
const CHAIN_HTTP: &str = include_str!("../configs/chain-nginx-http.conf");
const CHAIN_LOCATION: &str = include_str!("../configs/chain-nginx-location.conf");
const LUA_HTTP: &str = include_str!("../configs/chain-lua-http.conf");
const LUA_LOCATION: &str = include_str!("../configs/chain-lua-location.conf");
const ROUTE: &str = include_str!("../configs/route-nginx.conf");
const TLS: &str = include_str!("../configs/tls-nginx.conf");

/// Folders that nginx would otherwise want to make where only root may.
const TEMP_PATHS: &str = "client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; \
                          scgi_temp_path t5;";

/// The upstream that all peers share: static files of 1 KiB and 100 KiB.
pub(in crate::bench) struct Upstream {
    pub(in crate::bench) address: SocketAddr,
    pub(in crate::bench) service: Service,
}

impl Upstream {
    /// Starts it and waits until it answers.
    pub(in crate::bench) fn start() -> anyhow::Result<Self> {
        let folder = place::fresh_folder("upstream")?;
        std::fs::create_dir_all(folder.join("www/service-5"))?;
        for scenario in [Scenario::Plain1k, Scenario::Body100k, Scenario::Routes1000] {
            let file = folder.join("www").join(&scenario.path()[1..]);
            place::write(&file, vec![b'x'; scenario.body_length()])?;
        }
        let (service, address) = run(&folder, "upstream", UPSTREAM, Scenario::Plain1k, &[])?;
        Ok(Self { address, service })
    }
}

/// Starts the peer, with the chain in Lua or in directives.
pub(super) fn start(folder: &Path, setting: Setting, lua: bool) -> anyhow::Result<(Service, SocketAddr)> {
    let (http, location) = match (setting.scenario, lua) {
        (Scenario::Chain | Scenario::ChainExchange, false) => (CHAIN_HTTP.to_owned(), CHAIN_LOCATION),
        (Scenario::Chain | Scenario::ChainExchange, true) => (LUA_HTTP.to_owned(), LUA_LOCATION),
        (Scenario::Routes1000, _) => (routes(), ""),
        _ => (String::new(), ""),
    };
    let modules = if lua { lua_modules().context(Peer::NginxLua.remedy())? } else { String::new() };
    let http = fill(&http, &[("key", KEY)]);
    let upstream = setting.upstream.port().to_string();
    let (listen, tls) = tls(setting);
    let values = [
        ("more-http", http.as_str()),
        ("more-location", location),
        ("listen", listen),
        ("tls", &tls),
        ("modules", &modules),
        ("upstream", &upstream),
    ];
    run(folder, "nginx", PROXY, setting.scenario, &values)
}

/// A server for each host, a location for each prefix.
fn routes() -> String {
    let mut text = String::new();
    for (host, prefixes) in hosts_and_prefixes() {
        text.push_str(&format!("    server {{\n        listen 127.0.0.1:@port@;\n        server_name {host};\n"));
        prefixes.iter().for_each(|prefix| text.push_str(&fill(ROUTE, &[("prefix", prefix)])));
        text.push_str("    }\n");
    }
    text
}

/// What is said after `listen`, and in the server.
fn tls(setting: Setting) -> (&'static str, String) {
    let certificate = setting.certificate;
    let files = [("cert", &*certificate.cert.to_string_lossy()), ("key", &*certificate.key.to_string_lossy())];
    match setting.scenario.downstream() {
        Downstream::Clear => ("", String::new()),
        Downstream::Tls => ("ssl", fill(TLS, &files)),
        Downstream::H2 => ("ssl http2", fill(TLS, &files)),
    }
}

/// `nginx/1.22.1`
pub(super) fn version() -> Option<String> {
    let (_, text) = service::output(&place::program("nginx")?, &["-v"], Duration::from_secs(5)).ok()?;
    Some(text.trim().rsplit(' ').next()?.to_owned())
}

/// The lines that load the Lua module, if it is installed.
pub(super) fn lua_modules() -> Option<String> {
    let (_, text) = service::output(&place::program("nginx")?, &["-V"], Duration::from_secs(5)).ok()?;
    let folder = text.split_whitespace().find_map(|word| word.strip_prefix("--modules-path="))?;
    let files = ["ndk_http_module.so", "ngx_http_lua_module.so"].map(|file| PathBuf::from(folder).join(file));
    files.iter().map(|file| file.is_file().then(|| format!("load_module {};\n", file.display()))).collect()
}

fn run(
    folder: &Path,
    name: &str,
    template: &str,
    scenario: Scenario,
    values: &[(&str, &str)],
) -> anyhow::Result<(Service, SocketAddr)> {
    let nginx = place::program("nginx").with_context(|| format!("nginx is missing; {}", Peer::Nginx.remedy()))?;
    let [port] = place::free_ports()?;
    let user = if place::is_root() { "user root;" } else { "" };
    let port_text = port.to_string();
    let own = [("user", user), ("port", port_text.as_str()), ("temp-paths", TEMP_PATHS)];
    let config = format!("{name}.conf");
    place::write(&folder.join(&config), fill(&fill(template, values), &own))?;

    let prefix = folder.to_string_lossy();
    let config = folder.join(config);
    let args = ["-p", &*prefix, "-e", "stderr", "-c", &*config.to_string_lossy()];
    let mut service = Service::start(name, &nginx, &args, folder)?;
    service.wait_until(|| answers(loopback(port), scenario))?;
    Ok((service, loopback(port)))
}
