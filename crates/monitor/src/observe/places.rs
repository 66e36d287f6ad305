//! Places of addresses: the interface between the observer and the geography files.

use std::net::IpAddr;

use countersign_risk::{
    geo::Position,
    network::{Asn, NetworkKind},
};

/// Known facts about an address.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Autonomous system of the address.
    pub network: Option<Asn>,
    /// Country of the address (ISO 3166-1 alpha-2).
    pub country: Option<String>,
    /// Kind of its network.
    pub kind: NetworkKind,
    /// Position with its accuracy radius.
    pub position: Option<Position>,
}

impl Place {
    /// An address about which nothing is known. Unknown is never risky.
    pub const UNKNOWN: Self = Self { network: None, country: None, kind: NetworkKind::Unknown, position: None };
}

/// Source of places, such as geography files.
pub trait Places: Send + Sync {
    /// Facts about an address; [`Place::UNKNOWN`] when there are none.
    fn locate(&self, address: IpAddr) -> Place;
}
