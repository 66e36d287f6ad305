//! A chain as PEM, through everything that verification and explanation look at.
#![no_main]
use countersign_attest::{
    anchors::Anchors,
    android::{RawChain, Requirements, StatusRule, Trust, chain_from_pem, inspect, verify},
};
use countersign_core::UnixSeconds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pem: &str| {
    let trust = Trust { anchors: Anchors::google().unwrap_or_else(|_| Anchors::none()), status: StatusRule::NotAsked };
    let now = UnixSeconds(1_727_389_885);
    if let Ok(chain) = chain_from_pem(pem) {
        let _ = verify(&chain, &trust, &Requirements::observe(), b"challenge", now);
    }
    if let Ok(chain) = RawChain::from_pem(pem) {
        let _ = inspect(&chain, &trust, &Requirements::observe(), None, now).text();
    }
});
