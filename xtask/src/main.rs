//! `cargo xtask`: whatever a person would otherwise have to remember. One file per command.
#![allow(clippy::print_stdout, reason = "a command line tool talks to its user")]

mod bench;
mod build;
mod crash;
mod demo;
mod docs;
mod filters;
mod fuzz;
mod guests;
mod peers;
mod process;
mod profiled;
mod setup;
mod test;
mod toolchain;
mod trial;
mod workspace;

use std::process::ExitCode;

use anyhow::bail;

const USAGE: &str = "\
cargo xtask COMMAND

  demo    [--port N] [--admin-port N]   the gateway with three policies before a small upstream, to try by hand
          [--check]                     … and to check by itself: exits 0 when every answer was right
  test    [ARGS]                        filters and guests, then `cargo test --workspace ARGS`
  build   [--release]                   the gateway with its filters bundled: target/{debug,release}/tollgate
  build   --profiled                    the same, built by what was seen of it at work: target/profiled/release/tollgate
  filters                               standard filters, test guests, examples: target/{filters,guests,examples}/*.wasm
  filters --path DIR [--target TRIPLE]  one filter project anywhere; prints the path of its module
  fuzz    [TARGET…] [--seconds N]       libFuzzer for everything that parses bytes, N seconds (20) for each target
  crash   [--times N]                   the gateway killed N times (500) while versions change: it always starts again
  trial   [--times N] [--swaps N]       N (20) bad canaries under load, and N (1000) changes: what fails, what is left
  peers                                 the programs of Python that the stories talk to: target/peers
  docs    [--check]                     docs/interface.md, written from wit/
  setup                                 find or make the compiler's parts for WebAssembly guests
  bench   [ARGS]                        measure beside other gateways

TOLLGATE_GUEST_TOOLCHAIN=auto|rustup|debian chooses where the guest toolchain comes from (default: auto).
";

fn main() -> ExitCode {
    if let Some(code) = profiled::as_compiler() {
        return code;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> anyhow::Result<()> {
    let Some((command, rest)) = args.split_first() else {
        bail!("which command?\n\n{USAGE}");
    };
    match command.as_str() {
        "bench" => bench::run(rest),
        "build" => build::run(rest),
        "crash" => crash::run(rest),
        "demo" => demo::run(rest),
        "docs" => docs::run(rest),
        "filters" => filters::run(rest),
        "fuzz" => fuzz::run(rest),
        "peers" => peers::run(rest),
        "setup" => setup::run(rest),
        "test" => test::run(rest),
        "trial" => trial::run(rest),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("`{other}` is not a command\n\n{USAGE}"),
    }
}
