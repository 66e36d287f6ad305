//! Files about trust: revocation lists, anchors, keys of systems, cases.
#![no_main]
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::StatusList,
    boot_keys::BootKeys,
    cases,
};
use countersign_core::UnixSeconds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = StatusList::parse(text, UnixSeconds(0));
    let _ = Anchors::parse(Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware }, text);
    if let Ok(keys) = BootKeys::parse(text) {
        assert!(keys.of(None).count() <= countersign_core::Limits::BOOT_KEYS_MAX);
    }
    if let Ok(cases) = cases::parse(text) {
        for case in cases.iter().take(3) {
            let _ = case.run("", &[]);
        }
    }
});
