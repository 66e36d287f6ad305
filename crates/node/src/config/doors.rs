//! `[doors.auth_request]`: where another proxy asks whether it may pass a request on.

use std::{net::SocketAddr, path::Path};

use crate::config::{
    defaults,
    model::{AuthRequestDoor, DoorListen},
    section::Section,
};

/// Modes of a socket's file by their names: this user alone, or its group as well. Nobody else may ever open it.
pub(crate) const MODES: [(&str, u32); 2] = [("0600", 0o600), ("0660", 0o660)];

/// The section; `here` is the directory of the file.
pub fn doors(section: Option<Section<'_>>, here: &Path) -> Option<AuthRequestDoor> {
    let mut section = section?;
    let door = section.table("auth_request", "[doors.auth_request]").and_then(|section| auth_request(section, here));
    section.end();
    door
}

fn auth_request(mut section: Section<'_>, here: &Path) -> Option<AuthRequestDoor> {
    let mode = section.word("mode", &MODES);
    let at = section.required_text("listen", "\"unix:auth.sock\"");
    let listen = at.and_then(|at| match (at.value.strip_prefix("unix:"), at.value.parse::<SocketAddr>()) {
        (Some(path), _) if !path.is_empty() => {
            Some(DoorListen::Unix { path: here.join(path), mode: mode.map_or(defaults::SOCKET_MODE, |at| at.value) })
        }
        (_, Ok(address)) if address.ip().is_loopback() => {
            if let Some(mode) = mode {
                section.fault(
                    Some(mode.line),
                    "`mode` is of a socket's file, and `listen` is an address",
                    "remove `mode`, or write `listen = \"unix:auth.sock\"`",
                );
            }
            Some(DoorListen::Loopback(address))
        }
        _ => {
            // SECURITY: whoever reaches this door is believed when it says what a client asked.
            let what = format!("`listen` cannot be `{}`: only the proxy beside this node may ask here", at.value);
            section.fault(Some(at.line), what, "write a socket, `\"unix:auth.sock\"`, or a loopback address, `\"127.0.0.1:7445\"`");
            None
        }
    });
    let line = section.line().unwrap_or(1);
    section.end();
    Some(AuthRequestDoor { listen: listen?, line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const MINIMAL: &str = "public_url = \"https://api.example.com\"\nupstream   = \"http://127.0.0.1:8080\"\n[app.\"com.example.shop\"]\n";

    fn read(text: &str) -> Result<Option<DoorListen>, String> {
        let text = format!("{MINIMAL}[doors.auth_request]\n{text}");
        let config = parse(&text, Path::new("/etc/csign/csign.toml")).map_err(|faults| faults.to_string())?;
        Ok(config.auth_request.map(|door| door.listen))
    }

    #[test]
    fn the_door_is_a_socket_or_on_loopback() {
        let unix = |path: &str, mode| Ok(Some(DoorListen::Unix { path: path.into(), mode }));
        let rows = [
            ("a socket", "listen = \"unix:auth.sock\"\n", unix("/etc/csign/auth.sock", 0o600)),
            ("a socket elsewhere", "listen = \"unix:/run/auth.sock\"\nmode = \"0600\"\n", unix("/run/auth.sock", 0o600)),
            ("for the group", "listen = \"unix:auth.sock\"\nmode = \"0660\"\n", unix("/etc/csign/auth.sock", 0o660)),
            ("loopback", "listen = \"127.0.0.1:7445\"\n", Ok(Some(DoorListen::Loopback(([127, 0, 0, 1], 7445).into())))),
        ];
        for (name, text, expected) in rows {
            assert_eq!(read(text), expected, "{name}");
        }
        assert_eq!(parse(MINIMAL, Path::new("csign.toml")).expect("a config").auth_request.map(|door| door.listen), None);
    }

    #[test]
    fn nobody_else_can_ask() {
        let rows = [
            ("listen = \"0.0.0.0:7445\"\n", "csign.toml:5: `listen` cannot be `0.0.0.0:7445`"),
            ("listen = \"192.0.2.1:7445\"\n", "csign.toml:5: `listen` cannot be `192.0.2.1:7445`"),
            ("listen = \"unix:\"\n", "csign.toml:5: `listen` cannot be `unix:`"),
            ("listen = \"/run/auth.sock\"\n", "csign.toml:5: `listen` cannot be `/run/auth.sock`"),
            ("listen = \"unix:auth.sock\"\nmode = \"0666\"\n", "csign.toml:6: `mode` cannot be `0666`"),
            ("listen = \"127.0.0.1:7445\"\nmode = \"0660\"\n", "csign.toml:6: `mode` is of a socket's file"),
            ("", "csign.toml:4: `listen` is missing"),
            ("listen = \"unix:auth.sock\"\nsocket = 1\n", "csign.toml:6: unknown key `socket`"),
        ];
        for (text, expected) in rows {
            let said = read(text).expect_err(text);
            assert!(said.trim_start_matches("/etc/csign/").starts_with(expected), "{said}");
        }
    }

    #[test]
    fn the_guides_example_is_understood() {
        let guide = include_str!("../../../../docs/auth_request.md");
        let block: String = guide
            .lines()
            .skip_while(|line| *line != "## Countersign")
            .filter_map(|line| line.strip_prefix("    "))
            .take_while(|line| !line.starts_with("upstream"))
            .map(|line| format!("{line}\n"))
            .collect();
        let config = parse(&format!("{MINIMAL}{block}"), Path::new("csign.toml")).expect("understood");
        assert_eq!(config.auth_request.map(|door| door.listen), Some(DoorListen::Unix { path: "auth.sock".into(), mode: 0o660 }));
    }
}
