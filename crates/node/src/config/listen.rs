//! `listen`: an address, or a section with an address and the proxies of the operator's that stand before this node.

use std::net::SocketAddr;

use countersign_gateway::{ForwardedBy, Network, NetworkError, Proxies};

use crate::config::{
    defaults,
    model::Listen,
    section::{At, Section},
};

/// Where the public listener binds, and whose word about the client's address is believed.
pub(crate) struct Listening {
    /// Address that it binds.
    pub listen: Listen,
    /// Proxies that belong to the operator.
    pub proxies: Proxies,
}

/// Reads `listen` in either form.
pub(crate) fn listening(top: &mut Section<'_>) -> Listening {
    if !top.is_table("listen") {
        return Listening { listen: place(address(top, "listen")), proxies: Proxies::NONE };
    }
    let Some(mut section) = top.table("listen", "[listen]") else {
        return Listening { listen: Listen::ByPublicUrl, proxies: Proxies::NONE };
    };
    let listen = place(address(&mut section, "address"));
    let proxies = proxies(&mut section);
    section.end();
    Listening { listen, proxies }
}

fn place(at: Option<At<SocketAddr>>) -> Listen {
    at.map_or(Listen::ByPublicUrl, |At { value, line }| Listen::On { address: value, line })
}

fn proxies(section: &mut Section<'_>) -> Proxies {
    let texts = section.texts("proxies");
    let forwarded = section.word("forwarded", &ForwardedBy::ALL.map(|by| (by.as_str(), by)));
    if let (Some(at), None) = (&forwarded, &texts) {
        section.fault(
            Some(at.line),
            "`forwarded` says how proxies name the client, and there are none",
            "add `proxies = [\"10.0.0.0/24\"]`",
        );
    }
    let mut networks = Vec::new();
    for At { value, line } in texts.into_iter().flatten() {
        match Network::parse(value) {
            Ok(network) => networks.push(network),
            Err(error @ (NetworkError::HostBits | NetworkError::Malformed)) => {
                section.fault(Some(line), format!("`proxies` cannot contain `{value}`"), error.to_string());
            }
        }
    }
    Proxies { networks, forwarded_by: forwarded.map_or(defaults::FORWARDED_BY, |at| at.value) }
}

/// An address and a port.
pub fn address(section: &mut Section<'_>, key: &'static str) -> Option<At<SocketAddr>> {
    let At { value, line } = section.text(key)?;
    match value.parse() {
        Ok(address) => Some(At { value: address, line }),
        Err(_) => {
            section.fault(
                Some(line),
                format!("`{key}` cannot be `{value}`"),
                "write an address and a port, such as `127.0.0.1:7443` or `[::]:443`",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    const MINIMAL: &str = "public_url = \"https://api.example.com\"\nupstream   = \"http://127.0.0.1:8080\"\n[app.\"com.example.shop\"]\n";

    fn read(text: &str) -> Result<(Listen, Proxies), String> {
        let text = format!("{MINIMAL}[listen]\n{text}");
        let config = parse(&text, Path::new("/etc/csign/csign.toml")).map_err(|faults| faults.to_string())?;
        Ok((config.listen, config.proxies))
    }

    #[test]
    fn proxies_are_named() {
        let (listen, proxies) = read("address = \"[::]:7443\"\nproxies = [\"10.0.0.0/24\", \"2001:db8::5\"]").expect("sound");
        assert_eq!(listen, Listen::On { address: "[::]:7443".parse().expect("an address"), line: 5 });
        assert!(proxies.contains("10.0.0.9".parse().expect("one")) && proxies.contains("2001:db8::5".parse().expect("one")));
        assert_eq!(proxies.forwarded_by, ForwardedBy::XForwardedFor);
        let (listen, proxies) = read("proxies = [\"10.0.0.1\"]\nforwarded = \"forwarded\"").expect("sound");
        assert_eq!((listen, proxies.forwarded_by), (Listen::ByPublicUrl, ForwardedBy::Forwarded));
        let rows = [
            ("proxies = [\"10.0.0.0/40\"]", "csign.toml:5: `proxies` cannot contain `10.0.0.0/40`"),
            ("proxies = [\"10.0.0.1/24\"]", "the address has bits behind the prefix"),
            ("proxies = \"10.0.0.1\"", "a list of strings"),
            ("forwarded = \"none\"", "there are none"),
            ("proxies = [\"10.0.0.1\"]\nforwarded = \"via\"", "`forwarded` cannot be `via`"),
            ("port = 7", "unknown key `port` in `[listen]`"),
        ];
        for (text, expected) in rows {
            let fault = read(text).expect_err("a fault");
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }
}
