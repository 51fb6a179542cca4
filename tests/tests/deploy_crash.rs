//! Stories of sudden ends: whenever the program is killed, it starts again and serves a complete version, even if all files of
//! the configuration are gone by then.
//!
//! `TOLLGATE_CRASHES=500` asks for more of them (`cargo xtask crash`).

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tollgate_tests::{Binary, Connection, Request, TestGateway, Upstream, guest};

/// How often the program is killed where nobody asks for more.
const CRASHES: usize = 8;

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

/// Numbers that look random, and are the same for the same seed (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Writes the next version of both policies, as one should.
fn write_version(policies: &Path, number: u64) {
    let replace = |name: &str, content: &[u8]| {
        let new = policies.join(format!("{name}.new"));
        fs::write(&new, content).unwrap();
        fs::rename(new, policies.join(name)).unwrap();
    };
    replace("10-headers.toml", format!("[config.response.set]\nx-version = \"{number}\"\n").as_bytes());
    // The module again, with a digest of its own: one more custom section (WebAssembly core, section 5.5.3).
    let mark = [0, 3, 1, b'v', u8::try_from(number % 251).unwrap()];
    replace("20-m.wasm", &[guest("misbehave").as_slice(), &mark].concat());
}

/// What serves: the version of the one policy, if the other one answers as it should, too.
fn serving(binary: &Binary) -> u64 {
    let response = Connection::open(binary.address()).request(Request::get("/"));
    assert!(response.status == 200 && response.echo().field("x-begun").is_some(), "{response:?}");
    response.field("x-version").unwrap().parse().unwrap()
}

/// Whether what serves has been written down as a whole by now.
fn is_written_down(state: &Path, policies: usize) -> bool {
    let homes = fs::read_dir(state.join("gateways")).into_iter().flatten().flatten();
    let texts = homes.filter_map(|home| fs::read_to_string(home.path().join("state.json")).ok());
    texts.map(|text| text.matches("\"since\"").count()).any(|count| count >= policies)
}

#[test]
fn it_always_starts_and_on_a_complete_version() {
    let crashes = std::env::var("TOLLGATE_CRASHES").ok().map_or(CRASHES, |count| count.parse().unwrap());
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    let mut chance = Chance(seed);
    let upstream = Upstream::start();
    let files = TestGateway::new().upstream(&upstream);
    let (policies, away) = (files.folder().path().join("policies"), files.folder().path().join("away"));
    let state = files.folder().path().join("state");
    write_version(&policies, 0);
    let first = Binary::spawn(&[], &files.run_args(&ADMIN));
    assert_eq!(serving(&first), 0);
    tollgate_tests::eventually("it is written down", || is_written_down(&state, 2));
    drop(first);

    let (mut least, mut newest) = (0, 0);
    for crash in 0..crashes {
        // Nothing of what is written is there, so what serves is what was kept.
        fs::rename(&policies, &away).unwrap();
        let binary = Binary::spawn(&[], &files.run_args(&ADMIN));
        let kept = serving(&binary);
        assert!((least..=newest).contains(&kept), "crash {crash}, seed {seed}: {kept} of {least}..={newest}");
        fs::rename(&away, &policies).unwrap();
        // Versions come as fast as they can be written, until the end comes in the middle of whatever is going on.
        let end = Instant::now() + Duration::from_micros(chance.below(150_000));
        while Instant::now() < end {
            newest += 1;
            write_version(&policies, newest);
            thread::sleep(
                Duration::from_micros(chance.below(40_000)).min(end.saturating_duration_since(Instant::now())),
            );
        }
        binary.signal("KILL");
        let finished = binary.wait();
        assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
        // One that was seen to serve was written down before, as it was kept from an earlier run.
        least = kept;
    }
    eprintln!("{crashes} crashes, {newest} versions written, the last that was kept is {least}");
}
