#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rustle_formats::seal::fuzz::overlay(bytes));
