//! The PROXY protocol, version 2 (haproxy, `proxy-protocol.txt`, section 2.2): one header in front of a connection, in which a proxy of
//! the operator's names the client. Version 1, which is text, is not taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use countersign_core::Limits;

/// The first bytes of a header. No handshake of TLS begins like this.
pub(crate) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of a header that tell how long it is.
pub(crate) const FIXED_BYTES: usize = 16;

/// Why bytes are no header. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyRefusal {
    /// Fewer bytes than the family of addresses has, or a value behind them that is cut short.
    Cut,
    /// Neither `PROXY` nor `LOCAL`.
    CommandUnknown,
    /// Neither TCP over IPv4 nor over IPv6.
    FamilyUnknown,
    /// The first bytes are others, or those of another version.
    SignatureWrong,
    /// More bytes than [`Limits::PROXY_HEADER_BYTES_MAX`].
    TooLong,
}

/// Source of a connection, as a proxy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The client, with its address.
    Client(SocketAddr),
    /// The proxy itself: it looks whether we are there.
    Proxy,
}

/// Number of bytes that the header has behind its fixed ones.
///
/// # Errors
/// When it is no header that is taken.
pub(crate) fn rest(fixed: &[u8; FIXED_BYTES]) -> Result<usize, ProxyRefusal> {
    let [head @ .., version, _, high, low] = fixed;
    if *head != SIGNATURE || version >> 4 != 2 {
        return Err(ProxyRefusal::SignatureWrong);
    }
    let rest = usize::from(u16::from_be_bytes([*high, *low]));
    if rest.saturating_add(FIXED_BYTES) > Limits::PROXY_HEADER_BYTES_MAX { Err(ProxyRefusal::TooLong) } else { Ok(rest) }
}

/// Reads a whole header; the client that it names, if it names one.
#[must_use]
pub fn read(header: &[u8]) -> Option<SocketAddr> {
    let (fixed, bytes) = header.split_first_chunk::<FIXED_BYTES>()?;
    match parse(fixed, bytes) {
        Ok(Source::Client(client)) => Some(client),
        Ok(Source::Proxy) | Err(_) => None,
    }
}

/// Reads a header of which `bytes` are those behind the fixed ones.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn parse(fixed: &[u8; FIXED_BYTES], bytes: &[u8]) -> Result<Source, ProxyRefusal> {
    if bytes.len() != rest(fixed)? {
        return Err(ProxyRefusal::Cut);
    }
    let [.., version, family, _, _] = fixed;
    match version & 0x0f {
        // The addresses of a `LOCAL` connection are to be ignored, whatever they are.
        0 => return Ok(Source::Proxy),
        1 => {}
        _ => return Err(ProxyRefusal::CommandUnknown),
    }
    let (source, values) = match family {
        0x11 => four(bytes),
        0x21 => six(bytes),
        _ => return Err(ProxyRefusal::FamilyUnknown),
    }
    .ok_or(ProxyRefusal::Cut)?;
    whole(values)?;
    Ok(Source::Client(source))
}

fn four(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (addresses, values) = bytes.split_at_checked(12)?;
    let [a, b, c, d, _, _, _, _, high, low, _, _] = addresses else { return None };
    Some(((IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)), u16::from_be_bytes([*high, *low])).into(), values))
}

fn six(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (addresses, values) = bytes.split_at_checked(36)?;
    let (source, rest) = addresses.split_first_chunk::<16>()?;
    let [high, low] = rest.get(16..18)? else { return None };
    let address = IpAddr::V6(Ipv6Addr::from(*source)).to_canonical();
    Some(((address, u16::from_be_bytes([*high, *low])).into(), values))
}

/// Type-length-values stand whole behind the addresses. None of them means anything here.
fn whole(mut values: &[u8]) -> Result<(), ProxyRefusal> {
    while let [_, high, low, rest @ ..] = values {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        values = rest.get(length..).ok_or(ProxyRefusal::Cut)?;
    }
    if values.is_empty() { Ok(()) } else { Err(ProxyRefusal::Cut) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(version: u8, family: u8, bytes: &[u8]) -> ([u8; FIXED_BYTES], Vec<u8>) {
        let mut fixed = [0; FIXED_BYTES];
        let length = u16::try_from(bytes.len()).expect("a short one").to_be_bytes();
        fixed.copy_from_slice(&[&SIGNATURE[..], &[version, family], &length].concat());
        (fixed, bytes.to_vec())
    }

    #[test]
    fn a_header_names_its_client_or_is_refused() {
        use ProxyRefusal as R;
        let four = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 1, 187];
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        (six[15], six[33]) = (1, 80);
        let with = |values: &[u8]| [&four[..], values].concat();
        let client = |text: &str| Ok(Source::Client(text.parse().expect("an address")));
        let large = vec![0; Limits::PROXY_HEADER_BYTES_MAX];
        let rows: &[(&str, u8, u8, Vec<u8>, Result<Source, R>)] = &[
            ("TCP over IPv4", 0x21, 0x11, four.to_vec(), client("192.0.2.7:4660")),
            ("TCP over IPv6", 0x21, 0x21, six.to_vec(), client("[2001:db8::1]:80")),
            ("with values behind", 0x21, 0x11, with(&[1, 0, 2, 104, 50, 4, 0, 0]), client("192.0.2.7:4660")),
            ("the proxy itself", 0x20, 0x00, vec![], Ok(Source::Proxy)),
            ("the proxy itself, with addresses", 0x20, 0x11, four.to_vec(), Ok(Source::Proxy)),
            ("a value that is cut", 0x21, 0x11, with(&[1, 0, 3, 104, 50]), Err(R::Cut)),
            ("half a value", 0x21, 0x11, with(&[1, 0]), Err(R::Cut)),
            ("addresses that are cut", 0x21, 0x11, four[..11].to_vec(), Err(R::Cut)),
            ("IPv4 where IPv6 is said", 0x21, 0x21, four.to_vec(), Err(R::Cut)),
            ("no family", 0x21, 0x00, vec![], Err(R::FamilyUnknown)),
            ("UDP", 0x21, 0x12, four.to_vec(), Err(R::FamilyUnknown)),
            ("a socket file", 0x21, 0x31, vec![0; 216], Err(R::FamilyUnknown)),
            ("another command", 0x22, 0x11, four.to_vec(), Err(R::CommandUnknown)),
            ("another version", 0x31, 0x11, four.to_vec(), Err(R::SignatureWrong)),
            ("a long one", 0x20, 0x00, large, Err(R::TooLong)),
        ];
        for (name, version, family, bytes, expected) in rows {
            let (fixed, bytes) = header(*version, *family, bytes);
            assert_eq!(parse(&fixed, &bytes), *expected, "{name}");
        }
        assert_eq!(rest(b"PROXY TCP4 192.0"), Err(R::SignatureWrong));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_none(version in any::<u8>(), family in any::<u8>(), bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let (fixed, bytes) = header(version, family, &bytes);
            let client = read(&[fixed.as_slice(), &bytes].concat());
            prop_assert_eq!(client.is_some(), matches!(parse(&fixed, &bytes), Ok(Source::Client(_))));
        }
    }
}
