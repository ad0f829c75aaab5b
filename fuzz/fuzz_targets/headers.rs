//! `headers` under libFuzzer. What it is held to is in `waystation_tests::hostile`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(law) = waystation_tests::hostile::headers(input) {
        panic!("{law}");
    }
});
