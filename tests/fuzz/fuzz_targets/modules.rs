#![no_main]

// The reader of metadata panics over some modules, which the gateway expects: it must be possible to catch that. A panic of
// the target itself still ends the program.
libfuzzer_sys::fuzz_target!(init: drop(std::panic::take_hook()), |data: &[u8]| {
    tollgate_tests::fuzz::modules::run(data);
});
