#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = samara_tests::fuzz::release::manifest(data);
});
