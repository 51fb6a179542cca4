//! The command line: one file for each command.

mod ask;
mod check;
mod conformance;
mod descriptors;
mod filter_build;
mod filter_dev;
mod filter_new;
mod filter_search;
mod filter_test;
mod history;
mod inspect;
mod language;
mod list;
mod operate;
mod pull;
mod push;
mod registry;
mod route;
mod run;
mod sign;
mod source;
mod which;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A programmable HTTP gateway whose policies are WebAssembly filters.
#[derive(Parser)]
#[command(name = "tollgate", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve, and follow every change of configuration and policies.
    Run(run::Run),
    /// Check all that `run` would load, modules and their configuration included, and say what is wrong.
    Check(check::Check),
    /// Say which route a request takes, and why none that goes before it.
    Route(Box<route::Route>),
    /// Tell what became of each change, stage by stage.
    History(history::History),
    /// Serve the version of a policy that served before, or another one; what is written is not tried again until it changes.
    Rollback(operate::OfVersion),
    /// Serve that version of a policy, by default the one that serves now, whatever files say.
    Pin(operate::OfVersion),
    /// Follow the files of a policy again that was pinned.
    Unpin(operate::OfPolicy),
    /// Take no change of a policy, or none at all, until told to resume.
    Pause(operate::OfAny),
    /// Take changes again.
    Resume(operate::OfAny),
    /// Give the version of a policy that is on trial to all exchanges, whatever is left of its trial.
    Promote(operate::OfPolicy),
    /// End the trial of a policy's new version: the one before it serves, and what is written is not tried again until it changes.
    Abort(operate::OfPolicy),
    /// Work on filters.
    #[command(subcommand)]
    Filter(Filter),
}

#[derive(Subcommand)]
enum Filter {
    /// Write the project of a new filter, with a test, into a folder of that name.
    New {
        /// Lower-case letters, digits and hyphens.
        name: String,
        /// The language that it is written in.
        #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t)]
        lang: language::Language,
    },
    /// List the filters that policies can name: what they are, what they need, whose they are and where they are attached.
    Search(filter_search::Search),
    /// Build a filter project by the tools of its language, check the result, and say what it needs.
    Build(filter_build::FilterBuild),
    /// Build a filter project at each change of its sources, put the result live, and show what the filter logs and its faults.
    Dev(filter_dev::FilterDev),
    /// Tell what a module is, what it needs and how it is configured, and what a policy would lack to run it.
    Inspect(inspect::Inspect),
    /// Put a module into a registry or a bundle; what a bundle has goes there with its signatures.
    Push(push::Push),
    /// Fetch a module from a registry or a bundle, into a file or another bundle.
    Pull(pull::Pull),
    /// List the tags of a repository.
    List(list::List),
    /// Sign a module, in a file or where it was pushed to.
    Sign(sign::Sign),
    /// Run cases of filters on the gateway's own engine, and say what is not as expected.
    Test(filter_test::FilterTest),
    /// Hold modules, in whatever language, to the cases that the examples of all languages share.
    Conformance(conformance::Conformance),
    /// Run a case and show hook by hook what the filter is given and what it answers.
    Replay(filter_test::Replay),
}

impl Cli {
    /// Runs the command: 0 for success, 1 for what went wrong, with the reason on standard error.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Run(run) => run.run(),
            Command::Check(check) => check.run(),
            Command::Route(route) => route.run(),
            Command::History(history) => history.run(),
            Command::Rollback(of) => of.roll_back(),
            Command::Pin(of) => of.pin(),
            Command::Unpin(of) => of.unpin(),
            Command::Pause(of) => of.pause(),
            Command::Resume(of) => of.resume(),
            Command::Promote(of) => of.promote(),
            Command::Abort(of) => of.abort(),
            Command::Filter(Filter::Search(search)) => search.run(),
            Command::Filter(Filter::New { name, lang }) => new_filter(&name, lang),
            Command::Filter(Filter::Build(build)) => build.run(),
            Command::Filter(Filter::Dev(dev)) => dev.run(),
            Command::Filter(Filter::Inspect(inspect)) => inspect.run(),
            Command::Filter(Filter::Push(push)) => push.run(),
            Command::Filter(Filter::Pull(pull)) => pull.run(),
            Command::Filter(Filter::List(list)) => list.run(),
            Command::Filter(Filter::Sign(sign)) => sign.run(),
            Command::Filter(Filter::Test(test)) => test.run(),
            Command::Filter(Filter::Conformance(conformance)) => conformance.run(),
            Command::Filter(Filter::Replay(replay)) => replay.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("{message}");
                ExitCode::FAILURE
            }
        }
    }
}

fn new_filter(name: &str, language: language::Language) -> Result<(), String> {
    let folder = filter_new::create(name, language, std::path::Path::new("."))?;
    say(&format!("{} is ready: README.md there says how to test, build and deploy it", folder.display()));
    Ok(())
}

/// Prints a line for the user, who may have seen enough (`| head`) and gone.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}
