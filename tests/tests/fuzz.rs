//! The fuzz targets, driven by chance: a bounded number of rounds, always the same ones, or as long as
//! `TOLLGATE_FUZZ_SECONDS` says (`cargo xtask fuzz`).

use std::time::{Duration, Instant};

use tollgate_tests::corpus;
use tollgate_tests::fuzz::{Chance, TARGETS, mutate};

const ROUNDS: u64 = 10_000;

/// Runs a target; what it fails on is printed in a form that can be pasted.
fn drive(name: &str, seeds: &[Vec<u8>], rounds: u64) {
    let (_, target) =
        TARGETS.into_iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no target {name}"));
    let seconds = std::env::var("TOLLGATE_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let (start, bound) = (Instant::now(), seconds.map(Duration::from_secs));
    let mut round = 0;
    while bound.map_or(round < rounds, |bound| start.elapsed() < bound) {
        let mut chance = Chance::new(round);
        let [seed, other] = [0; 2].map(|_| &seeds[chance.below(seeds.len())]);
        let mut data = vec![u8::try_from(chance.below(256)).unwrap_or(0), u8::try_from(chance.below(64)).unwrap_or(0)];
        data.extend(mutate(seed, other, &mut chance));
        let failed = std::panic::catch_unwind(|| target(&data)).is_err();
        assert!(!failed, "{name}, round {round}: b\"{}\"", data.escape_ascii());
        round += 1;
    }
    eprintln!("{name}: {round} rounds");
}

fn messages(folder: &str) -> Vec<Vec<u8>> {
    corpus(folder).into_iter().map(|case| case.bytes).filter(|bytes| bytes.len() < 2_000).collect()
}

#[test]
fn requests() {
    drive("requests", &messages("requests"), ROUNDS);
}

#[test]
fn paths() {
    let targets = messages("requests").into_iter().filter_map(|bytes| {
        let target = bytes.split(|byte| *byte == b' ').nth(1)?.to_vec();
        Some(target)
    });
    drive("paths", &targets.collect::<Vec<_>>(), 20 * ROUNDS);
}

#[test]
fn configuration() {
    let seeds = [
        "[[listeners]]\naddress = \"127.0.0.1:0\"\n[upstreams.a]\nendpoints = [\"a:1\"]\n[[routes]]\nupstream = \"a\"\n",
        "[paths]\nencoded-slash = \"keep\"\nmerge-slashes = false\n[limits]\nheader-bytes = \"64KiB\"\ndrain = \"1s\"\n",
        "[[routes]]\nhosts = [\"*.a\"]\npath = { regex = \"/a/[0-9]+\" }\nheaders = { x = { present = true } }\nupstream = \"b\"\n",
        "[policies.p]\nfilter = \"api-key\"\non-fault = \"bypass\"\n[policies.p.config]\na = [1, { b = 1979-05-27 }]\n",
    ];
    drive("configuration", &seeds.map(|seed| seed.as_bytes().to_vec()), ROUNDS / 4);
}

#[test]
fn edits() {
    let seeds = [
        "x-a\0value",
        ":path\0/a?b",
        ":method\0GET",
        ":authority\0a:80",
        ":status\x00200",
        "@consumer\0a",
        "@attr:a\0b",
        "host\0a",
    ];
    drive("edits", &seeds.map(|seed| seed.as_bytes().to_vec()), 10 * ROUNDS);
}
