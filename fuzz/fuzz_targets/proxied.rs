//! What proxies of the operator's say of a client: a header of the PROXY protocol, and the hops in headers of HTTP.
#![no_main]
use countersign_gateway::{ForwardedBy, Network, Proxies, read_proxy_header};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_proxy_header(bytes);
    let _ = std::str::from_utf8(bytes).map(Network::parse);
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers: HeaderMap = [("x-forwarded-for", value.clone()), ("forwarded", value)]
        .into_iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), value))
        .collect();
    let networks = vec![Network::parse("10.0.0.0/8").expect("a network")];
    for forwarded_by in ForwardedBy::ALL {
        let proxies = Proxies { networks: networks.clone(), forwarded_by };
        let stranger = std::net::IpAddr::from([192, 0, 2, 1]);
        assert_eq!(proxies.client(stranger, &headers), Ok(stranger), "a stranger names nobody");
        let _ = proxies.client(std::net::IpAddr::from([10, 0, 0, 1]), &headers);
    }
});
