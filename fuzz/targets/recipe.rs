#![no_main]

#[path = "../what.rs"]
#[allow(dead_code)]
mod what;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| what::recipe(bytes));
