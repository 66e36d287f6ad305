//! Where addresses are, as the watcher asks for it.

use std::net::IpAddr;

use countersign_risk::{
    geo::Position,
    network::{Asn, NetworkKind},
};

/// What is known of an address.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its autonomous system.
    pub network: Option<Asn>,
    /// Its country (ISO 3166-1 alpha-2).
    pub country: Option<String>,
    /// The kind of its network.
    pub kind: NetworkKind,
    /// Where it is, and how far off that may be.
    pub position: Option<Position>,
}

impl Place {
    /// Nothing is known: that is never risky.
    pub const UNKNOWN: Self = Self { network: None, country: None, kind: NetworkKind::Unknown, position: None };
}

/// Knows where addresses are.
pub trait Places: Send + Sync {
    /// What is known of an address.
    fn look(&self, address: IpAddr) -> Place;
}
