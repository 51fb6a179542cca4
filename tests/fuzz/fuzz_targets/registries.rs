#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_tests::fuzz::registries::run(data));
