//! From nothing to a live filter in each language, by the commands that `docs/languages.md` lists: how many there are, and how long each
//! takes. What is downloaded once is here already (`cargo xtask peers`).

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::service::Service;
use super::{http, languages, place, report};
use crate::build::{self, Profile};
use crate::process;
use crate::workspace::Workspace;

/// The headings of the page, each with the name of its language in a table.
const LANGUAGES: [(&str, &str); 5] =
    [("Rust", "Rust"), ("C", "C"), ("Go", "Go"), ("Python", "Python"), ("JavaScript and TypeScript", "JavaScript")];

/// The policy that the page makes.
const POLICY: &str = "my-filter";

/// How long the last command may take to have an effect.
const LIVE: Duration = Duration::from_secs(120);

/// Prints a table.
pub(super) fn run() -> Result<()> {
    let workspace = place::workspace()?;
    let gateway = build::gateway(workspace, Profile::Debug)?;
    let folder = place::fresh_folder("first-filter")?;
    let page = workspace.root.join("docs/languages.md");
    let text = fs::read_to_string(&page).with_context(|| format!("could not read {}", page.display()))?;
    report::text(
        "| language | commands | new | own tests | build | test | live | together |\n|---|---|---|---|---|---|---|---|\n",
    )?;
    for (heading, name) in LANGUAGES {
        let commands =
            commands(&text, heading).with_context(|| format!("{}: no commands for {name}", page.display()))?;
        let author = Author::new(workspace, &gateway, &folder.join(name))?;
        match author.does(&commands) {
            Ok(times) => report::text(&times.row(name))?,
            Err(error) => process::say(&format!("{name} is left out: {error:#}")),
        }
    }
    Ok(())
}

/// The lines of the first block below a heading, without comments.
fn commands(page: &str, heading: &str) -> Option<Vec<String>> {
    let (_, section) = page.split_once(&format!("\n## {heading}\n"))?;
    let block = section.split_once("```\n")?.1.split_once("\n```")?.0;
    let bare = |line: &str| line.split(" #").next().unwrap_or_default().trim().to_owned();
    Some(block.lines().map(bare).filter(|line| !line.is_empty()).collect())
}

/// What a command is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// What is downloaded once.
    Tools,
    /// No work.
    Enter,
    New,
    OwnTests,
    Build,
    Test,
    Live,
}

impl Step {
    fn of(command: &str) -> Self {
        let begins = |beginning: &str| command.starts_with(beginning);
        match command {
            _ if begins("tollgate filter new") => Self::New,
            _ if begins("tollgate filter build") => Self::Build,
            _ if begins("tollgate filter test") => Self::Test,
            _ if begins("cd ") => Self::Enter,
            _ if begins("npm install") || command.contains("pip install") || begins("rustup") => Self::Tools,
            _ if command.contains("POLICIES") => Self::Live,
            _ => Self::OwnTests,
        }
    }
}

/// How long the steps took.
#[derive(Default)]
struct Times(Vec<(Step, Duration)>);

impl Times {
    fn of(&self, wanted: &[Step]) -> f64 {
        self.0.iter().filter(|(step, _)| wanted.contains(step)).map(|(_, took)| *took).sum::<Duration>().as_secs_f64()
    }

    fn row(&self, name: &str) -> String {
        let needed = [Step::New, Step::Build, Step::Test, Step::Live];
        let count = self.0.iter().filter(|(step, _)| needed.contains(step)).count();
        let own = self.of(&[Step::OwnTests]);
        let mut row = format!("| {name} | {count} ");
        for step in [Step::New, Step::OwnTests, Step::Build, Step::Test, Step::Live] {
            row += &format!("| {:.1} s ", self.of(&[step]));
        }
        row + &format!("| {:.1} s |\n", self.of(&needed) + own)
    }
}

/// Somebody with a gateway that runs, and with the tools of a language.
struct Author<'a> {
    workspace: &'a Workspace,
    tools: String,
    state: PathBuf,
    policies: PathBuf,
    place: PathBuf,
    admin: SocketAddr,
    _gateway: Service,
}

impl<'a> Author<'a> {
    fn new(workspace: &'a Workspace, gateway: &Path, folder: &Path) -> Result<Self> {
        let (policies, state) = (folder.join("policies"), folder.join("state"));
        fs::create_dir_all(&policies)?;
        let [listen, admin] = place::free_ports()?.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let tollgate_state = state.join("tollgate").display().to_string();
        let (folder_of_policies, listen, asked) =
            (policies.display().to_string(), listen.to_string(), admin.to_string());
        let args = ["run", "--listen", &listen, "--upstream", "http://127.0.0.1:9", "--policies", &folder_of_policies];
        let args = [&args[..], &["--admin", &asked, "--state-dir", &tollgate_state]].concat();
        let mut service = Service::start("gateway", gateway, &args, folder)?;
        service.wait_until(|| http::get(admin, "/policies", &[]).is_ok())?;
        let own = gateway.parent().unwrap_or(Path::new("/")).display();
        let tools = format!("{own}:{}", languages::tools(workspace));
        Ok(Self { workspace, tools, state, policies, place: folder.to_owned(), admin, _gateway: service })
    }

    fn does(mut self, commands: &[String]) -> Result<Times> {
        let mut times = Times::default();
        for command in commands {
            let (step, started) = (Step::of(command), Instant::now());
            match step {
                Step::Tools if command.starts_with("npm") => self.link_packages()?,
                Step::Tools => {}
                Step::Enter => self.place.push(command.trim_start_matches("cd ")),
                _ => self.runs(command)?,
            }
            if step == Step::New {
                self.use_known_versions()?;
            }
            if command.starts_with("cp ") {
                self.wait_until_live()?;
            }
            times.0.push((step, started.elapsed()));
        }
        Ok(times)
    }

    fn runs(&self, command: &str) -> Result<()> {
        let command = command.replace("POLICIES", &self.policies.display().to_string());
        let mut shell = Command::new("bash");
        shell.args(["-e", "-c", &command]).current_dir(&self.place).env("PATH", &self.tools);
        shell.env("XDG_STATE_HOME", &self.state).env("CARGO_NET_OFFLINE", "true");
        languages::surroundings(&mut shell, self.workspace);
        process::output(&mut shell).map(drop)
    }

    /// In the place of `npm install`, which downloads these.
    fn link_packages(&self) -> Result<()> {
        let modules = self.place.join("node_modules");
        fs::create_dir(&modules)?;
        for package in fs::read_dir(self.workspace.root.join("examples/js/node_modules"))?.flatten() {
            std::os::unix::fs::symlink(package.path(), modules.join(package.file_name()))?;
        }
        std::os::unix::fs::symlink("../.tollgate/guest-sdk/js", modules.join("tollgate-filter"))?;
        Ok(())
    }

    /// A project in Rust gets the versions of crates that are here.
    fn use_known_versions(&self) -> Result<()> {
        let project = self.place.join(POLICY);
        if project.join("Cargo.toml").exists() {
            fs::copy(self.workspace.root.join("Cargo.lock"), project.join("Cargo.lock"))?;
        }
        Ok(())
    }

    fn wait_until_live(&self) -> Result<()> {
        let end = Instant::now() + LIVE;
        let is_live = || -> Option<bool> {
            let page = http::get(self.admin, "/policies", &[]).ok()?;
            let page: serde_json::Value = serde_json::from_slice(&page.body).ok()?;
            let policy = page["policies"].as_array()?.iter().find(|policy| policy["name"] == POLICY)?;
            Some(policy["state"] == "live")
        };
        while is_live() != Some(true) {
            if Instant::now() > end {
                bail!("the filter is not live after {} s", LIVE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the page promises: five commands besides the tools, and the language's own tests.
    #[test]
    fn no_language_takes_more_than_five_commands() {
        let workspace = Workspace::own().unwrap();
        let page = fs::read_to_string(workspace.root.join("docs/languages.md")).unwrap();
        for (heading, name) in LANGUAGES {
            let steps: Vec<_> = commands(&page, heading).unwrap().iter().map(|command| Step::of(command)).collect();
            let count = |wanted: &[Step]| steps.iter().filter(|step| wanted.contains(step)).count();
            assert_eq!(count(&[Step::New, Step::Build, Step::Test, Step::Live]), 5, "{name}");
            assert!(count(&[Step::OwnTests]) <= 1, "{name}");
        }
    }
}
