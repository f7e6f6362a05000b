#![no_main]

// A decoder may panic where it is isolated; only what gets out of the target ends it.
libfuzzer_sys::fuzz_target!(
    init: drop(std::panic::take_hook()),
    |data: &[u8]| {
        let _ = samara_tests::fuzz::packs::frame(data);
    }
);
