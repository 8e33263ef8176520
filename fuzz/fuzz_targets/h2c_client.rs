#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| thalweg_testkit::fuzz::h2c_client(octets));
