//! A gateway in this process, with a folder for its configuration and policies.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tollgate::config::{Flags, Overrides, Source};
use tollgate::{Gateway, StartError};

use crate::binary::Binary;
use crate::client::{Connection, Request};
use crate::files::{Folder, state_dir};
use crate::gate::{PATIENCE, eventually};
use crate::message::Response;
use crate::upstream::Upstream;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A gateway that is to be started. Without `config` it is the form without a config file: all policies of its folder
/// apply to all traffic.
pub struct TestGateway {
    folder: Folder,
    upstream: Option<SocketAddr>,
    config: Option<String>,
    words: Vec<(String, String)>,
    workers: Option<NonZeroUsize>,
    access_log: bool,
    /// Its own state directory; without one, compiled modules are shared with all stories.
    state: Option<PathBuf>,
}

impl TestGateway {
    /// A gateway before nothing yet.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        let folder = Folder::new();
        fs::create_dir(folder.path().join("policies")).expect("the folder is new");
        Self { folder, upstream: None, config: None, words: Vec::new(), workers: None, access_log: false, state: None }
    }

    /// Where requests go. In a configuration it is `{upstream}`.
    #[must_use]
    pub fn upstream(self, upstream: &Upstream) -> Self {
        self.upstream_at(upstream.address())
    }

    /// Where requests go, whoever is there.
    #[must_use]
    pub fn upstream_at(mut self, address: SocketAddr) -> Self {
        self.upstream = Some(address);
        self.word("upstream", &address.to_string())
    }

    /// The full form with one upstream, `pool`, for everything. `of_upstream` are its keys, in which `{a}`, `{b}`, … are the
    /// addresses of these; `of_route` are keys of the route.
    #[must_use]
    pub fn pool(self, upstreams: &[&Upstream], of_upstream: &str, of_route: &str) -> Self {
        let words =
            upstreams.iter().zip('a'..).map(|(upstream, name)| (name.to_string(), upstream.address().to_string()));
        let gateway = words.fold(self, |gateway, (name, address)| gateway.word(&name, &address));
        gateway.config(&Self::pool_config(of_upstream, of_route))
    }

    /// The text of that configuration.
    #[must_use]
    pub fn pool_config(of_upstream: &str, of_route: &str) -> String {
        format!(
            "[[listeners]]\naddress = \"{{listen}}\"\n[upstreams.pool]\n{of_upstream}\n\
             [[routes]]\nupstream = \"pool\"\n{of_route}\n"
        )
    }

    /// The full form: the text of a config file. `{listen}` is an address with port 0, `{upstream}` the upstream's.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    /// Text for `{name}` in the configuration.
    #[must_use]
    pub fn word(mut self, name: &str, text: &str) -> Self {
        self.words.retain(|(known, _)| known != name);
        self.words.push((name.to_owned(), text.to_owned()));
        self
    }

    /// A file `NAME.toml` in the policies directory.
    #[must_use]
    pub fn policy(self, name: &str, text: &str) -> Self {
        self.folder.write(&format!("policies/{name}.toml"), text);
        self
    }

    /// A file `NAME.wasm` in the policies directory.
    #[must_use]
    pub fn module(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.folder.write(&format!("policies/{name}.wasm"), bytes);
        self
    }

    /// A file of its folder.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.folder.write(name, content);
        self
    }

    /// How many workers, where it matters.
    #[must_use]
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = NonZeroUsize::new(count);
        self
    }

    /// Writes a line for each exchange.
    #[must_use]
    pub fn access_log(mut self) -> Self {
        self.access_log = true;
        self
    }

    /// Keeps compiled modules in its own folder, where no other story has left any.
    #[must_use]
    pub fn own_state(mut self) -> Self {
        self.state = Some(self.folder.path().join("state"));
        self
    }

    /// Its folder: `tollgate.toml` and `policies/` are in it.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Starts it.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> RunningGateway {
        self.try_start().unwrap_or_else(|message| panic!("the gateway did not start: {message}"))
    }

    /// Starts it, or says why it cannot start.
    ///
    /// # Errors
    /// If the gateway says so.
    pub fn try_start(self) -> Result<RunningGateway, String> {
        let (source, overrides) = self.source();
        let start = || Gateway::start(source.clone(), overrides.clone());
        let gateway = once_there_is_room(start).map_err(|error| error.to_string())?;
        Ok(RunningGateway { gateway, files: self })
    }

    /// Starts it again, after it has been stopped. What has been written to its folder since stays as it is, the configuration
    /// included.
    ///
    /// # Errors
    /// If the gateway says so.
    pub fn try_restart(self) -> Result<RunningGateway, String> {
        let (source, overrides) = self.source_as_is();
        self.folder.age();
        let start = || Gateway::start(source.clone(), overrides.clone());
        let gateway = once_there_is_room(start).map_err(|error| error.to_string())?;
        Ok(RunningGateway { gateway, files: self })
    }

    /// What `tollgate check` says, in this process.
    ///
    /// # Errors
    /// All problems, one a line, with paths relative to the gateway's folder.
    pub fn check(&self) -> Result<(), String> {
        let (source, overrides) = self.source();
        let check = || Gateway::check(&source, &overrides);
        once_there_is_room(check).map(drop).map_err(|error| self.relative(&error.to_string()))
    }

    /// Starts the program with its files, and more arguments if there are any.
    #[must_use]
    #[track_caller]
    pub fn run(self, more: &[&str]) -> Binary {
        self.run_with(&[], more)
    }

    /// As `run`, with these environment variables.
    #[must_use]
    #[track_caller]
    pub fn run_with(self, environment: &[(&str, &str)], more: &[&str]) -> Binary {
        Binary::spawn(environment, &self.run_args(more)).with_files(self)
    }

    /// As `run`, of another file.
    #[must_use]
    #[track_caller]
    pub fn run_file(self, file: &Path, more: &[&str]) -> Binary {
        Binary::spawn_file(file, &[], &self.run_args(more)).with_files(self)
    }

    /// As `run`, from a shell, after these commands, such as `ulimit -n 100`.
    #[must_use]
    #[track_caller]
    pub fn run_after(self, commands: &str, more: &[&str]) -> Binary {
        Binary::spawn_after(commands, &self.run_args(more)).with_files(self)
    }

    /// The arguments of `run`.
    #[must_use]
    pub fn run_args(&self, more: &[&str]) -> Vec<String> {
        let state = self.state().display().to_string();
        let mut args = vec!["run".to_owned(), "--state-dir".to_owned(), state];
        args.extend(self.source_args());
        args.extend(more.iter().map(|&arg| arg.to_owned()));
        args
    }

    /// The arguments that say where its configuration is, for `run` and `check`.
    #[must_use]
    pub fn source_args(&self) -> Vec<String> {
        match self.source().0 {
            Source::File(path) => vec!["--config".to_owned(), path.display().to_string()],
            Source::Flags(flags) => {
                let policies = flags.policies.unwrap_or_default().display().to_string();
                let given = ["--listen", "127.0.0.1:0", "--upstream", &flags.upstream, "--policies", &policies];
                given.map(str::to_owned).into()
            }
        }
    }

    /// A message without the path of the gateway's folder.
    #[must_use]
    pub fn relative(&self, message: &str) -> String {
        message.replace(&format!("{}/", self.folder.path().display()), "")
    }

    fn source(&self) -> (Source, Overrides) {
        if let Some(text) = &self.config {
            self.folder.write("tollgate.toml", self.fill(text));
        }
        // Made before the folder is aged, too.
        self.state();
        // What has been written just before the start might have changed while it was read, so it would be read again.
        self.folder.age();
        self.source_as_is()
    }

    fn source_as_is(&self) -> (Source, Overrides) {
        let overrides = Overrides {
            admin: Some(ANY_PORT),
            workers: self.workers,
            access_log: self.access_log,
            state_dir: Some(self.state()),
            ..Overrides::default()
        };
        let source = match &self.config {
            Some(_) => Source::File(self.folder.path().join("tollgate.toml")),
            None => Source::Flags(Flags {
                listen: vec![ANY_PORT],
                upstream: self.upstream.map(|address| format!("http://{address}")).unwrap_or_default(),
                policies: Some(self.folder.path().join("policies")),
            }),
        };
        (source, overrides)
    }

    /// Everything that a gateway remembers is its own; what is compiled is the same for all.
    fn state(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| {
            let state = self.folder.path().join("state");
            let shared = state_dir().join("modules");
            let made = fs::create_dir_all(&state).and_then(|()| fs::create_dir_all(&shared));
            made.expect("the target directory can be written to");
            // It is there already if the story starts it again.
            let _ = std::os::unix::fs::symlink(shared, state.join("modules"));
            state
        })
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.replace("{listen}", "127.0.0.1:0");
        for (name, word) in &self.words {
            text = text.replace(&format!("{{{name}}}"), word);
        }
        text
    }
}

/// A gateway that serves. Stops when dropped.
pub struct RunningGateway {
    gateway: Gateway,
    files: TestGateway,
}

impl RunningGateway {
    /// The address of its first listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.gateway.addresses()[0].1
    }

    /// The address of the listener of that name.
    #[must_use]
    #[track_caller]
    pub fn address_of(&self, listener: &str) -> SocketAddr {
        let found = self.gateway.addresses().into_iter().find(|(name, _)| **name == *listener);
        found.unwrap_or_else(|| panic!("there is no listener {listener}")).1
    }

    /// A connection to its first listener.
    #[must_use]
    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::open(self.address())
    }

    /// Sends `GET` on a connection of its own.
    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.send(Request::get(target))
    }

    /// Sends a request on a connection of its own; the response must be whole.
    #[track_caller]
    pub fn send(&self, request: Request) -> Response {
        let response = self.connect().request(request);
        assert!(response.complete, "the response was cut: {response:?}");
        response
    }

    /// An admin page.
    #[must_use]
    #[track_caller]
    pub fn admin(&self, path: &str) -> Response {
        let address = self.gateway.admin_address().expect("stories have an admin listener");
        Connection::open(address).request(Request::get(path))
    }

    /// The value of a metric by its name with labels, as in `a_total{b="c"}`; 0 if it has not been counted.
    #[must_use]
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        metric(&self.admin("/metrics").text(), name)
    }

    /// What the page `/policies` says.
    #[must_use]
    #[track_caller]
    pub fn policies(&self) -> Value {
        self.admin("/policies").json()
    }

    /// What the page `/policies` says about one policy.
    #[must_use]
    #[track_caller]
    pub fn policy(&self, name: &str) -> Value {
        let page = self.policies();
        let found = page["policies"].as_array().into_iter().flatten().find(|policy| policy["name"] == name);
        found.unwrap_or_else(|| panic!("there is no policy {name}: {page:#}")).clone()
    }

    /// What the page `/upstreams` says about the endpoint at that address; null if it does not know it.
    #[must_use]
    #[track_caller]
    pub fn endpoint(&self, address: SocketAddr) -> Value {
        let page = self.admin("/upstreams").json();
        let upstreams = page["upstreams"].as_array().cloned().unwrap_or_default();
        let endpoints =
            upstreams.iter().flat_map(|upstream| upstream["endpoints"].as_array().cloned().unwrap_or_default());
        endpoints.into_iter().find(|endpoint| endpoint["address"] == address.to_string()).unwrap_or_default()
    }

    /// How many times what is served has changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.gateway.snapshot().generation
    }

    /// How many changes have been taken in, accepted or not.
    #[must_use]
    #[track_caller]
    pub fn reloads(&self) -> f64 {
        let page = self.admin("/metrics").text();
        ["live", "rejected"]
            .map(|outcome| metric(&page, &format!("tollgate_reloads_total{{outcome={outcome:?}}}")))
            .iter()
            .sum()
    }

    /// Makes a change and waits until the gateway has taken it in, accepted or not.
    #[track_caller]
    pub fn change(&self, change: impl FnOnce(&Self)) {
        let before = self.reloads();
        change(self);
        eventually("the change is noticed", || self.reloads() > before);
    }

    /// Writes `NAME.toml` over what was there.
    #[track_caller]
    pub fn write_policy(&self, name: &str, text: &str) {
        self.files.folder.write(&format!("policies/{name}.toml"), text);
    }

    /// Writes `NAME.wasm` beside what was there and renames it, as one should.
    #[track_caller]
    pub fn replace_module(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let new = self.files.folder.write(&format!("policies/{name}.wasm.new"), bytes);
        fs::rename(&new, new.with_extension("")).expect("the folder can be written to");
    }

    /// Writes a file beside what was there and renames it.
    #[track_caller]
    pub fn replace_file(&self, name: &str, content: impl AsRef<[u8]>) {
        self.files.folder.replace(name, content);
    }

    /// Removes a file of the policies directory.
    #[track_caller]
    pub fn remove(&self, file: &str) {
        fs::remove_file(self.policies_dir().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    /// Writes the config file anew, with `{words}` as at the start.
    #[track_caller]
    pub fn write_config(&self, text: &str) {
        self.files.folder.write("tollgate.toml", self.files.fill(text));
    }

    /// The policies directory.
    #[must_use]
    pub fn policies_dir(&self) -> PathBuf {
        self.files.folder.path().join("policies")
    }

    /// The folder that everything of this gateway is in.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.files.folder.path()
    }

    /// A message without the path of the gateway's folder.
    #[must_use]
    pub fn relative(&self, message: &str) -> String {
        self.files.relative(message)
    }

    /// The gateway itself.
    #[must_use]
    pub fn inner(&self) -> &Gateway {
        &self.gateway
    }

    /// Stops it, and gives its files, to be started again.
    #[must_use]
    pub fn stop(self) -> TestGateway {
        self.gateway.shutdown();
        self.files
    }

    /// Drains and returns when the last exchange is done.
    pub fn shutdown(self) {
        self.gateway.shutdown();
    }
}

/// Each gateway reserves terabytes of address space, of which a process has enough for a dozen; machines with more cores
/// than that run more stories at once.
fn once_there_is_room<T>(start: impl Fn() -> Result<T, StartError>) -> Result<T, StartError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match start() {
            Err(StartError::System(message)) if message.contains("memory pool") && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

/// The value of a metric on the page `/metrics`.
#[must_use]
#[track_caller]
pub fn metric(page: &str, name: &str) -> f64 {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().expect("metrics are numbers"))
}
