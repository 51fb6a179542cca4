//! The fuzz targets, driven by chance: a bounded number of rounds, always the same ones. `cargo xtask fuzz` has libFuzzer drive
//! them; for that, with `TOLLGATE_FUZZ_SEEDS`, these stories write down what they begin with.

use std::fs;
use std::path::Path;

use tollgate_tests::fuzz::{Chance, TARGETS, Target, mutate};

/// Runs a target; what it fails on is printed in a form that can be pasted.
fn drive(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target {name}"));
    let seeds = (target.seeds)();
    if let Some(folder) = std::env::var_os("TOLLGATE_FUZZ_SEEDS") {
        return write_down(&seeds, &Path::new(&folder).join(name));
    }
    for seed in &seeds {
        attempt(target, seed, "a seed");
    }
    for round in 0..target.rounds {
        let mut chance = Chance::new(round);
        let [seed, other] = [0; 2].map(|_| &seeds[chance.below(seeds.len())]);
        let mut data = mutate(seed, other, &mut chance);
        // What the first byte says is tried with everything.
        if let Some(first) = data.first_mut().filter(|_| chance.below(2) == 0) {
            *first = u8::try_from(chance.below(256)).unwrap_or(0);
        }
        attempt(target, &data, &format!("round {round}"));
    }
}

fn attempt(target: &Target, data: &[u8], when: &str) {
    let failed = std::panic::catch_unwind(|| (target.run)(data)).is_err();
    assert!(!failed, "{}, {when}: b\"{}\"", target.name, data.escape_ascii());
}

fn write_down(seeds: &[Vec<u8>], folder: &Path) {
    let written = fs::create_dir_all(folder).and_then(|()| {
        seeds.iter().enumerate().try_for_each(|(number, seed)| fs::write(folder.join(format!("seed-{number}")), seed))
    });
    written.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

macro_rules! stories {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                drive(stringify!($name));
            }
        )*

        #[test]
        fn every_target_has_a_story_and_a_program() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
            let files = fs::read_dir(folder).expect("the programs are there").flatten();
            let mut programs: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
            programs.sort();
            assert_eq!(programs, names.iter().map(|name| format!("{name}.rs")).collect::<Vec<_>>());
        }
    };
}

stories! {
    answers cases catalogues chunks configuration edits forwarding frames grpc_health hosts identities journal modules parameters paths policies
    proxy_protocol registries requests responses schemas sections states traces web_sockets
}
