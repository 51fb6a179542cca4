//! The gateway that a filter under development is live in: one that runs, or one of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::paint::{Kind, Paint};
use super::policy::MARK;
use super::upstream;
use crate::Gateway;
use crate::cli::ask::Door;
use crate::cli::filter_build::write;
use crate::config::{Flags, Overrides, Source};
use crate::deploy::Home;
use crate::oci::Digest;

/// Where a gateway of its own listens if nobody else does.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where modules go, and who is asked what became of them.
pub(super) struct Target {
    door: Door,
    policies: PathBuf,
    own: Option<Gateway>,
}

/// What became of a change.
pub(super) enum Fate {
    /// It serves.
    Live,
    /// It does not, and this is why.
    Refused(String),
}

impl Target {
    /// A running gateway by its admin pages.
    pub(super) fn at(address: SocketAddr, policies: Option<&Path>) -> Result<Self, String> {
        Self::running(Door::Address(address), policies)
    }

    /// A running gateway of this machine.
    pub(super) fn of(home: Home, policies: Option<&Path>) -> Result<Self, String> {
        Self::running(Door::Home(home), policies)
    }

    fn running(door: Door, named: Option<&Path>) -> Result<Self, String> {
        let page = door.page("/policies")?;
        let policies = named.map(Path::to_owned).or_else(|| page["policies-dir"].as_str().map(PathBuf::from));
        let policies = policies.ok_or(
            "the gateway watches no directory; write policies-dir = \"policies\" into its configuration, or start it with --policies DIR",
        )?;
        match policies.is_dir() {
            true => Ok(Self { door, policies, own: None }),
            false => Err(format!("{}: is no folder of this machine; name it with --policies DIR", policies.display())),
        }
    }

    /// A gateway of its own, in the project's folder `build`, before that upstream or one that answers with what it was asked.
    pub(super) fn own(project: &Path, listen: Option<SocketAddr>, upstream: Option<&str>) -> Result<Self, String> {
        let folder = project.join("build").join("dev");
        let policies = folder.join("policies");
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        // Nobody else may write to what is compiled.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        if policies.exists() {
            fs::remove_dir_all(&policies).map_err(failed)?;
        }
        fs::create_dir(&policies).map_err(failed)?;
        let upstream = match upstream {
            Some(url) => url.to_owned(),
            None => format!("http://{}", upstream::start().map_err(|error| format!("no upstream: {error}"))?),
        };
        let listen = vec![listen.unwrap_or_else(|| if TcpListener::bind(USUAL).is_ok() { USUAL } else { ANY })];
        let source = Source::Flags(Flags { listen, upstream, policies: Some(policies.clone()) });
        let overrides = Overrides {
            admin: Some(ANY),
            state_dir: Some(folder.join("state")),
            no_last_known_good: true,
            ..Overrides::default()
        };
        let gateway = Gateway::start(source, overrides).map_err(|error| error.to_string())?;
        let admin = gateway.admin_address().ok_or("the gateway has no admin pages")?;
        Ok(Self { door: Door::Address(admin), policies, own: Some(gateway) })
    }

    /// Where a gateway of its own listens.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.own.iter().flat_map(Gateway::addresses).map(|(_, address)| address).collect()
    }

    pub(super) fn door(&self) -> Door {
        self.door.clone()
    }

    /// Writes the policy and its module, and says whether anything has changed by that.
    pub(super) fn put(&self, name: &str, text: &str, module: &[u8]) -> Result<bool, String> {
        let written = self.write_policy(name, text)?;
        let path = self.policies.join(format!("{name}.wasm"));
        if fs::read(&path).is_ok_and(|there| there == module) {
            return Ok(written);
        }
        write(&path, module).map(|()| true)
    }

    /// How it stands with a module that was there already.
    pub(super) fn standing(&self, name: &str, digest: &str) -> Result<Fate, String> {
        let page = self.door.page("/policies")?;
        let is_it = |policy: &&Value| policy["name"] == name || policy["filter"] == name;
        let policy = list(&page, "policies").find(is_it).unwrap_or(&Value::Null);
        Ok(match policy["last-error"].as_str() {
            None if policy["digest"] == format!("sha256:{digest}") => Fate::Live,
            reason => Fate::Refused(reason.unwrap_or("the gateway serves another version").to_owned()),
        })
    }

    /// Writes the policy file, unless there is a policy of that name already, or one of that filter, that somebody else has written.
    /// Says whether anything has changed.
    fn write_policy(&self, name: &str, text: &str) -> Result<bool, String> {
        let path = self.policies.join(format!("{name}.toml"));
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        match fs::read_to_string(&path) {
            Ok(written) if !written.starts_with(MARK) || written == text => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            Err(_) if self.is_known(name)? => return Ok(false),
            Err(_) => {}
        }
        // The gateway leaves hidden files alone.
        let unfinished = self.policies.join(format!(".{name}.{}", std::process::id()));
        fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, &path)).map_err(failed)?;
        Ok(true)
    }

    /// Whether there is a policy of that name or filter.
    fn is_known(&self, name: &str) -> Result<bool, String> {
        let page = self.door.page("/policies")?;
        Ok(list(&page, "policies").any(|policy| policy["name"] == name || policy["filter"] == name))
    }

    /// Whether any route has the policy of that name or filter.
    pub(super) fn is_on_a_route(&self, name: &str) -> bool {
        let Ok(page) = self.door.page("/policies") else { return true };
        let is_it = |policy: &&Value| policy["name"] == name || policy["filter"] == name;
        let mut named = list(&page, "policies").filter(is_it).map(|policy| &policy["name"]);
        named.any(|name| list(&page, "routes").any(|route| list(route, "policies").any(|known| known == name)))
    }

    /// The number of the newest change.
    pub(super) fn newest_change(&self) -> Result<u64, String> {
        let page = self.door.page("/history")?;
        Ok(list(&page, "history").filter_map(|record| record["change"].as_u64()).max().unwrap_or(0))
    }

    /// What became of the module, or of what else has changed about its policy, since that change.
    pub(super) fn fate(&self, name: &str, digest: &str, since: u64) -> Result<Option<Fate>, String> {
        let page = self.door.page("/history")?;
        let is_new = |record: &&Value| record["change"].as_u64().is_some_and(|change| change > since);
        // One of all policies has none.
        let concerns = |record: &&Value| {
            let module = record["module"].as_str();
            let of_it = record["policy"].is_null() || record["policy"] == name || module == Some(digest);
            of_it && module.is_none_or(|module| module == digest)
        };
        let records: Vec<_> = list(&page, "history").filter(is_new).filter(concerns).collect();
        let ends = |record: &&&Value, outcome: &str| record["outcome"] == outcome;
        if records.iter().any(|record| record["stage"] == "promote" && ends(&record, "done")) {
            return Ok(Some(Fate::Live));
        }
        // The newest come first. What fails goes no further.
        let failed = records.iter().rev().find(|record| ends(record, "failed"));
        Ok(failed.map(|record| Fate::Refused(format!("{}: {}", text(record, "stage"), text(record, "reason")))))
    }

    /// The last that is said.
    pub(super) fn farewell(&self, paint: Paint) {
        match &self.own {
            Some(_) => paint.line(Kind::Gateway, "stopped"),
            None => {
                let folder = self.policies.display();
                paint.line(
                    Kind::Gateway,
                    &format!("goes on with what is in {folder}; remove the files there to end that"),
                );
            }
        }
    }
}

/// Of a module, as the gateway names it.
pub(super) fn digest(module: &[u8]) -> String {
    Digest::of(module).digits()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}
