//! Lists of networks as publishers give them. What is listed is found, and a list that is refused changes nothing.
#![no_main]
use std::net::IpAddr;

use countersign_risk::{
    lists::NetworkLists,
    network::{Asn, NetworkKind},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (mut prefixes, mut systems) = (NetworkLists::default(), NetworkLists::default());
    match prefixes.add_prefixes(NetworkKind::Hosting, text) {
        Ok(count) => {
            assert!(count <= text.lines().count());
            let first = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).find(|line| !line.is_empty());
            let address: Option<IpAddr> = first.and_then(|entry| entry.split('/').next()?.parse().ok());
            if let Some(address) = address {
                assert_eq!(prefixes.kind(address, None), NetworkKind::Hosting, "{address} is listed");
            }
        }
        Err(_) => assert_eq!(prefixes, NetworkLists::default()),
    }
    match systems.add_systems(NetworkKind::Mobile, text) {
        Ok(_) => {
            let number = text.trim().parse::<u32>();
            if let Ok(number) = number {
                assert_eq!(systems.kind(IpAddr::from([0; 4]), Some(Asn(number))), NetworkKind::Mobile);
            }
        }
        Err(_) => assert_eq!(systems, NetworkLists::default()),
    }
});
