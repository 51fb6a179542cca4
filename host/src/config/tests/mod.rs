//! Stories: files in a folder, and what loading them gives.

mod actions;
mod config_file;
mod flags;
mod listeners;
mod policies;
mod routes;
mod upstreams;

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{Config, Flags, Overrides, Policy, PolicyEntry, Problem, Source, load};

const BUNDLED: &[&str] = &["api-key", "headers", "rate-limit"];

/// The least that a config file needs.
const LEAST: &str = "listeners = [{ address = \"127.0.0.1:0\" }]\nupstreams.orders.endpoints = [\"orders:80\"]\n";

/// A folder with files, which goes when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("tollgate-config-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A folder with this config file.
    fn with(text: impl AsRef<[u8]>) -> Self {
        Self::new().file("tollgate.toml", text)
    }

    /// A folder with the least config file and this text behind it.
    fn with_more(text: &str) -> Self {
        Self::with(format!("{LEAST}{text}"))
    }

    fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn try_load(&self) -> Result<Config, Vec<Problem>> {
        load(&Source::File(self.path("tollgate.toml")), &Overrides::default(), BUNDLED)
    }

    fn load(&self) -> Config {
        self.try_load().unwrap_or_else(|problems| panic!("{:#?}", self.show(&problems)))
    }

    /// The problems of the config file as shown, without the folder.
    fn problems(&self) -> Vec<String> {
        self.show(&self.try_load().expect_err("there are problems"))
    }

    /// The configuration without a config file, with the policies of the folder `policies`.
    fn load_dir(&self) -> Config {
        let flags = Flags {
            listen: vec!["127.0.0.1:8080".parse().unwrap()],
            upstream: "http://127.0.0.1:9000".to_owned(),
            policies: Some(self.path("policies")),
        };
        let loaded = load(&Source::Flags(flags), &Overrides::default(), BUNDLED);
        loaded.unwrap_or_else(|problems| panic!("{:#?}", self.show(&problems)))
    }

    fn show(&self, problems: &[Problem]) -> Vec<String> {
        let folder = format!("{}/", self.0.display());
        problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(config: &Config) -> Vec<&str> {
    config.policies.iter().map(|entry| entry.name.as_str()).collect()
}

fn entry<'a>(config: &'a Config, name: &str) -> &'a PolicyEntry {
    config.policies.iter().find(|entry| entry.name == name).expect("the policy is there")
}

fn policy<'a>(config: &'a Config, name: &str) -> &'a Policy {
    entry(config, name).policy.as_ref().expect("the policy is good")
}

/// The file name of the code of a policy, or `bundled NAME`.
fn code(config: &Config, name: &str) -> String {
    let filter = &policy(config, name).filter;
    let file_name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    filter.path().map_or_else(|| format!("bundled {}", filter.name()), file_name)
}
