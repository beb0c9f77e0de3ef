#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rustle_playbook::yaml::fuzz(bytes));
