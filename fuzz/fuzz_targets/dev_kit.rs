//! A development token with address and pin, as a phone's camera reads it.
#![no_main]
use countersign_identity::DevKit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(kit) = DevKit::parse(text) {
        let written = kit.write();
        // A long address may become longer as it is made regular; what is read again is the same.
        if let Ok(again) = DevKit::parse(written.expose()) {
            assert!(again.write().expose() == written.expose());
        }
    }
});
