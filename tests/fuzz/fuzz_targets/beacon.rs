#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropeway_fuzz::beacon::beacon(data));
