//! `[admin]`: where operators ask, and who they are.

use std::{collections::BTreeMap, path::Path};

use countersign_core::OperatorName;

use crate::config::{
    defaults,
    doors::MODES,
    model::AdminSocket,
    operators::{Operators, UNNAMED},
    section::{At, Section},
};

/// The section; `here` is the directory of the file.
pub fn admin(section: Option<Section<'_>>, here: &Path) -> AdminSocket {
    let mut admin = AdminSocket { path: None, mode: defaults::ADMIN_SOCKET_MODE, operators: Operators::Unnamed };
    let Some(mut section) = section else { return admin };
    admin.path = section.text("socket").map(|at| here.join(at.value));
    if let Some(at) = section.word("mode", &MODES) {
        admin.mode = at.value;
    }
    if let Some(mut named) = section.table("operators", "admin.operators") {
        let mut names = BTreeMap::new();
        if named.is_empty() {
            section.fault(named.line(), "`operators` names nobody", "write for example `operators = { alice = 1000 }`, or remove it");
        }
        for (name, uid) in named.named_numbers(0..=u64::from(u32::MAX)) {
            take(&section, &mut names, name, uid);
        }
        named.end();
        admin.operators = Operators::Named(names);
    }
    section.end();
    admin
}

fn take(section: &Section<'_>, names: &mut BTreeMap<u32, OperatorName>, name: &str, At { value: uid, line }: At<u64>) {
    let parsed = OperatorName::parse(name).ok().filter(|_| !name.starts_with(UNNAMED));
    let (Some(parsed), Ok(uid)) = (parsed, u32::try_from(uid)) else {
        let remedy = "write a name of letters, digits and `-_.~`, and the user's id: `alice = 1000`";
        section.fault(Some(line), format!("an operator cannot be called `{name}`"), remedy);
        return;
    };
    if let Some(other) = names.insert(uid, parsed) {
        let what = format!("`{other}` and `{name}` are the same user, {uid}");
        section.fault(Some(line), what, "give each operator a user of their own, or one of the two names");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const MINIMAL: &str = "public_url = \"https://api.example.com\"\nupstream   = \"http://127.0.0.1:8080\"\n[app.\"com.example.shop\"]\n";

    fn read(text: &str) -> Result<AdminSocket, String> {
        parse(&format!("{MINIMAL}{text}"), Path::new("/etc/csign.toml")).map(|config| config.admin).map_err(|faults| faults.to_string())
    }

    #[test]
    fn operators_are_named_by_their_users() {
        let whole = read("[admin]\nsocket = \"/run/csign/admin.sock\"\nmode = \"0660\"\noperators = { alice = 1000, bob = 1001 }\n")
            .expect("understood");
        assert_eq!((whole.path.as_deref(), whole.mode), (Some(Path::new("/run/csign/admin.sock")), 0o660));
        assert_eq!(whole.operators.name(1001).map(|name| name.to_string()).as_deref(), Ok("bob"));
        assert!(whole.operators.name(1002).is_err());
        let none = read("").expect("understood");
        assert_eq!((none.path, none.mode, none.operators), (None, 0o600, Operators::Unnamed));
        let rows: &[(&str, &str)] = &[
            ("[admin]\noperators = {}\n", "csign.toml:5: `operators` names nobody"),
            ("[admin]\noperators = { alice = 1000, bob = 1000 }\n", "csign.toml:5: `alice` and `bob` are the same user, 1000"),
            ("[admin]\noperators = { \"uid:5\" = 1000 }\n", "csign.toml:5: an operator cannot be called `uid:5`"),
            ("[admin]\noperators = { \"a b\" = 1000 }\n", "csign.toml:5: an operator cannot be called `a b`"),
            ("[admin]\noperators = { alice = -1 }\n", "csign.toml:5: `alice = -1` is out of range"),
            ("[admin]\noperators = { alice = 4294967296 }\n", "csign.toml:5: `alice = 4294967296` is out of range"),
            ("[admin]\noperators = { alice = \"alice\" }\n", "csign.toml:5: `alice` is a string"),
            ("[admin]\nmode = \"0666\"\n", "csign.toml:5: `mode` cannot be `0666`"),
            ("[admin]\noperator = 1\n", "csign.toml:5: unknown key `operator`"),
        ];
        for (text, expected) in rows {
            let said = read(text).expect_err(text);
            assert!(said.trim_start_matches("/etc/").starts_with(expected), "{said}");
        }
    }
}
