//! Proxies of the operator's that stand before the listener, and what is believed of what they say about the client's address.
//!
//! Whoever comes from one of the stated networks may begin a connection with a header of the PROXY protocol, or name the client in
//! `X-Forwarded-For` or `Forwarded`; of anybody else neither is believed. Which header it is the config says, since a proxy that sets
//! one lets a client's own words in the other through.

use std::net::IpAddr;

use countersign_core::Limits;
use http::{HeaderMap, HeaderName, header};

use crate::{framing::Fault, network::Network};

/// Header of a proxy in which it names the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedBy {
    /// The header `Forwarded` (RFC 7239).
    Forwarded,
    /// None: the proxy speaks the PROXY protocol.
    Nothing,
    /// The header `X-Forwarded-For`.
    XForwardedFor,
}

impl ForwardedBy {
    /// Every way, in alphabetical order.
    pub const ALL: [Self; 3] = [Self::Forwarded, Self::Nothing, Self::XForwardedFor];

    /// The word in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Nothing => "none",
            Self::XForwardedFor => "x-forwarded-for",
        }
    }
}

/// Proxies that belong to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxies {
    /// Networks that they are in.
    pub networks: Vec<Network>,
    /// Header in which they name the client.
    pub forwarded_by: ForwardedBy,
}

impl Proxies {
    /// Configuration without any proxy.
    pub const NONE: Self = Self { networks: Vec::new(), forwarded_by: ForwardedBy::Nothing };

    /// Says whether `address` is one of theirs.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// The client's address, in a request that came from `peer`: of the hops that are named, the rightmost that is no proxy of the
    /// operator's, since what stands left of it anybody may have written. Without any, the last that is known.
    ///
    /// # Errors
    /// [`Fault::Hop`]: a hop is reached that cannot be read.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Fault> {
        self.named(peer, headers).map_err(|HopUnreadable| Fault::Hop)
    }

    fn named(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, HopUnreadable> {
        if !self.contains(peer) {
            return Ok(peer);
        }
        let (name, read): (HeaderName, fn(&str) -> Result<Hop, HopUnreadable>) = match self.forwarded_by {
            ForwardedBy::Nothing => return Ok(peer),
            ForwardedBy::XForwardedFor => (HeaderName::from_static("x-forwarded-for"), x_forwarded_for),
            ForwardedBy::Forwarded => (header::FORWARDED, forwarded),
        };
        let mut nearest = peer;
        let mut looked_at = 0_usize;
        let lines: Vec<_> = headers.get_all(name).iter().collect();
        for line in lines.into_iter().rev() {
            let line = line.to_str().map_err(|_| HopUnreadable)?;
            for hop in elements(line)?.into_iter().rev() {
                looked_at = looked_at.saturating_add(1);
                if looked_at > Limits::FORWARDED_HOPS_MAX {
                    return Err(HopUnreadable);
                }
                match read(hop)? {
                    // Whoever hides its client is the nearest that is known.
                    Hop::Hidden => return Ok(nearest),
                    Hop::At(address) if self.contains(address) => nearest = address,
                    Hop::At(address) => return Ok(address),
                }
            }
        }
        Ok(nearest)
    }
}

/// A hop that a proxy names cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HopUnreadable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    At(IpAddr),
    Hidden,
}

/// Splits at commas that stand in no quoted string (RFC 9110 section 5.6.4); a quoted string without an end is an error.
fn elements(line: &str) -> Result<Vec<&str>, HopUnreadable> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in line.bytes().enumerate() {
        match (quoted, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, _, b'"') => quoted = !quoted,
            (false, _, b',') => {
                parts.push(line.get(begin..at).unwrap_or_default().trim_ascii());
                begin = at.saturating_add(1);
            }
            _ => {}
        }
    }
    parts.push(line.get(begin..).unwrap_or_default().trim_ascii());
    if quoted { Err(HopUnreadable) } else { Ok(parts) }
}

/// An address, with or without a port.
fn x_forwarded_for(hop: &str) -> Result<Hop, HopUnreadable> {
    if hop.eq_ignore_ascii_case("unknown") {
        return Ok(Hop::Hidden);
    }
    node(hop).map(Hop::At)
}

/// One element of `Forwarded` (RFC 7239 section 4): its `for`, of which there may be one. An element without it hides its client.
fn forwarded(element: &str) -> Result<Hop, HopUnreadable> {
    let mut named = None;
    for pair in element.split(';').map(str::trim_ascii) {
        let (name, value) = pair.split_once('=').ok_or(HopUnreadable)?;
        if name.eq_ignore_ascii_case("for") && named.replace(value).is_some() {
            return Err(HopUnreadable);
        }
    }
    let Some(value) = named else { return Ok(Hop::Hidden) };
    let value = match value.strip_prefix('"') {
        // An address has no character that is escaped.
        Some(quoted) => quoted.strip_suffix('"').ok_or(HopUnreadable)?,
        None => value,
    };
    // Section 6: `unknown`, or a name that begins with an underscore.
    if value.eq_ignore_ascii_case("unknown") || value.starts_with('_') {
        return Ok(Hop::Hidden);
    }
    node(value).map(Hop::At)
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn node(text: &str) -> Result<IpAddr, HopUnreadable> {
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(HopUnreadable)?;
            let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            if !port_fits {
                return Err(HopUnreadable);
            }
            return address.parse().map(IpAddr::V6).map(|ip| ip.to_canonical()).map_err(|_| HopUnreadable);
        }
        None => match text.split_once(':') {
            Some((address, port)) if is_port(port) && address.contains('.') => address,
            Some(_) | None => text,
        },
    };
    address.parse().map(|ip: IpAddr| ip.to_canonical()).map_err(|_| HopUnreadable)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn ours(forwarded_by: ForwardedBy) -> Proxies {
        let networks = ["10.0.0.0/8", "2001:db8:f::/48"].map(|text| Network::parse(text).expect("a network")).to_vec();
        Proxies { networks, forwarded_by }
    }

    #[test]
    fn the_rightmost_hop_that_is_no_proxy_counts() {
        const PROXY: &str = "10.0.0.1";
        let rows: &[(&str, ForwardedBy, &str, &[(&'static str, &str)], Result<&str, HopUnreadable>)] = &[
            ("a stranger's header", ForwardedBy::XForwardedFor, "192.0.2.9", &[("x-forwarded-for", "198.51.100.1")], Ok("192.0.2.9")),
            ("a proxy's", ForwardedBy::XForwardedFor, PROXY, &[("x-forwarded-for", "198.51.100.1")], Ok("198.51.100.1")),
            (
                "one that the client wrote before",
                ForwardedBy::XForwardedFor,
                PROXY,
                &[("x-forwarded-for", "203.0.113.1, 198.51.100.1")],
                Ok("198.51.100.1"),
            ),
            (
                "in two lines",
                ForwardedBy::XForwardedFor,
                PROXY,
                &[("x-forwarded-for", "203.0.113.1"), ("x-forwarded-for", "198.51.100.1")],
                Ok("198.51.100.1"),
            ),
            (
                "through two proxies",
                ForwardedBy::XForwardedFor,
                PROXY,
                &[("x-forwarded-for", "198.51.100.1, 10.9.9.9")],
                Ok("198.51.100.1"),
            ),
            ("proxies only", ForwardedBy::XForwardedFor, PROXY, &[("x-forwarded-for", "10.7.7.7, 10.9.9.9")], Ok("10.7.7.7")),
            ("none", ForwardedBy::XForwardedFor, PROXY, &[], Ok(PROXY)),
            ("with a port", ForwardedBy::XForwardedFor, PROXY, &[("x-forwarded-for", "198.51.100.1:4711")], Ok("198.51.100.1")),
            ("IPv6", ForwardedBy::XForwardedFor, PROXY, &[("x-forwarded-for", "2001:db8::1")], Ok("2001:db8::1")),
            ("IPv6 with a port", ForwardedBy::XForwardedFor, PROXY, &[("x-forwarded-for", "[2001:db8::1]:80")], Ok("2001:db8::1")),
            ("unknown", ForwardedBy::XForwardedFor, PROXY, &[("x-forwarded-for", "203.0.113.1, unknown")], Ok(PROXY)),
            ("not an address", ForwardedBy::XForwardedFor, PROXY, &[("x-forwarded-for", "203.0.113.1, x")], Err(HopUnreadable)),
            ("an empty hop", ForwardedBy::XForwardedFor, PROXY, &[("x-forwarded-for", "203.0.113.1,")], Err(HopUnreadable)),
            ("nonsense further left", ForwardedBy::XForwardedFor, PROXY, &[("x-forwarded-for", "x, 198.51.100.1")], Ok("198.51.100.1")),
            ("the other header", ForwardedBy::XForwardedFor, PROXY, &[("forwarded", "for=203.0.113.1")], Ok(PROXY)),
            ("no header is believed", ForwardedBy::Nothing, PROXY, &[("x-forwarded-for", "203.0.113.1")], Ok(PROXY)),
            (
                "RFC 7239",
                ForwardedBy::Forwarded,
                PROXY,
                &[("forwarded", "for=203.0.113.1, For=198.51.100.1;proto=https")],
                Ok("198.51.100.1"),
            ),
            ("quoted", ForwardedBy::Forwarded, PROXY, &[("forwarded", "proto=https;for=\"[2001:db8::1]:4711\"")], Ok("2001:db8::1")),
            ("a comma in quotes", ForwardedBy::Forwarded, PROXY, &[("forwarded", "for=198.51.100.1;host=\"a,b\"")], Ok("198.51.100.1")),
            ("a hidden one", ForwardedBy::Forwarded, PROXY, &[("forwarded", "for=203.0.113.1, for=_secret")], Ok(PROXY)),
            ("without `for`", ForwardedBy::Forwarded, PROXY, &[("forwarded", "for=203.0.113.1, proto=https")], Ok(PROXY)),
            ("twice `for`", ForwardedBy::Forwarded, PROXY, &[("forwarded", "for=203.0.113.1;for=198.51.100.1")], Err(HopUnreadable)),
            ("a quote without an end", ForwardedBy::Forwarded, PROXY, &[("forwarded", "for=\"203.0.113.1")], Err(HopUnreadable)),
            ("no pair", ForwardedBy::Forwarded, PROXY, &[("forwarded", "203.0.113.1")], Err(HopUnreadable)),
        ];
        for (name, forwarded_by, peer, lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for (header, value) in *lines {
                headers.append(*header, HeaderValue::from_str(value).expect("a value"));
            }
            let got = ours(*forwarded_by).named(peer.parse().expect("an address"), &headers);
            assert_eq!(got, expected.map(|text| text.parse().expect("an address")), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_header_names_somebody_or_nobody(line in "[ -~]{0,120}", peer in any::<u32>()) {
            for forwarded_by in ForwardedBy::ALL {
                let proxies = ours(forwarded_by);
                let peer = IpAddr::from(peer.to_be_bytes());
                let mut headers = HeaderMap::new();
                for name in ["x-forwarded-for", "forwarded"] {
                    headers.insert(name, HeaderValue::from_str(&line).expect("a value"));
                }
                let client = proxies.client(peer, &headers);
                prop_assert!(proxies.contains(peer) || client == Ok(peer));
            }
        }
    }
}
