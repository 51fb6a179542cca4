//! What is done with arbitrary bytes: each target takes some and fails if something is wrong. The story in `tests/fuzz.rs`
//! drives them with bytes of the corpus and of chance, and so does libFuzzer, which sees where they lead (`tests/fuzz`).
//!
//! Everything that reads bytes of others and is our own has a target. HPACK, TLS, certificates, TOML, JSON, DNS and the
//! protocol of Redis are read by crates with targets of their own.

pub mod answers;
pub mod cases;
pub mod catalogues;
pub mod chunks;
pub mod configuration;
pub mod edits;
pub mod forwarding;
pub mod frames;
pub mod grpc_health;
pub mod hosts;
pub mod identities;
pub mod journal;
pub mod modules;
mod mutate;
pub mod parameters;
pub mod paths;
pub mod policies;
pub mod proxy_protocol;
pub mod registries;
pub mod requests;
pub mod responses;
pub mod schemas;
mod script;
pub mod sections;
pub mod states;
pub mod traces;
pub mod web_sockets;

pub use mutate::{Chance, mutate};

/// What is done with bytes: panics if something is wrong.
pub type Body = fn(&[u8]);

/// One target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its file.
    pub name: &'static str,
    /// What is done with bytes.
    pub run: Body,
    /// Bytes to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many rounds the story takes it.
    pub rounds: u64,
}

macro_rules! targets {
    ($($name:ident $rounds:expr),* $(,)?) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[
            $(Target { name: stringify!($name), run: $name::run, seeds: $name::seeds, rounds: $rounds }),*
        ];
    };
}

targets! {
    answers 50_000,
    cases 2_500,
    catalogues 1_000,
    chunks 20_000,
    configuration 2_500,
    edits 100_000,
    forwarding 10_000,
    frames 20_000,
    grpc_health 50_000,
    hosts 100_000,
    identities 20_000,
    journal 1_000,
    modules 1_000,
    parameters 50_000,
    paths 200_000,
    policies 2_500,
    proxy_protocol 50_000,
    registries 20_000,
    requests 10_000,
    responses 10_000,
    schemas 20_000,
    sections 10_000,
    states 300,
    traces 100_000,
    web_sockets 20_000,
}

/// Seeds that are text.
fn texts<const N: usize>(seeds: [&str; N]) -> Vec<Vec<u8>> {
    seeds.map(|seed| seed.as_bytes().to_vec()).to_vec()
}

/// Messages of the corpus with two bytes before each, which say how it is cut.
fn messages(folder: &str) -> Vec<Vec<u8>> {
    let cases = crate::corpus(folder).into_iter().map(|case| case.bytes).filter(|bytes| bytes.len() < 2_000);
    cases.map(|bytes| [b"\x00\x05", &*bytes].concat()).collect()
}
