//! `http1-request` under libFuzzer. What it is held to is in `target`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(law) = waystation_fuzz::target::run("http1-request", input) {
        panic!("{law}");
    }
});
