//! Who may read what a node keeps. Databases, keys and log are for its own user; others only where the operator said so.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use crate::{
    config::{DataReaders, Fault, Faults},
    layout,
};

/// Names in the data directory that hold people, keys and decisions. Sockets have modes of their own.
const KEPT: [&str; 9] = [
    "countersign.db",
    "countersign.db-shm",
    "countersign.db-wal",
    "subject-keys.db",
    "subject-keys.db-shm",
    "subject-keys.db-wal",
    layout::LOG,
    layout::RULES,
    layout::WATCH,
];

/// Checks the data directory, and what is in it already. One that is not there yet is made with the right mode.
///
/// # Errors
/// Each part that others may read or change.
pub(crate) fn data_directory(data: &Path, readers: DataReaders) -> Result<(), Faults> {
    let (forbidden, what, mode_right) = match readers {
        DataReaders::OwnerOnly => (0o077, "read", "go="),
        // SECURITY: whoever may write puts a key or a database of their own in place.
        DataReaders::Shared => (0o022, "change", "go-w"),
    };
    let mut faults = Faults::default();
    let Ok(meta) = fs::metadata(data) else { return Ok(()) };
    let us = rustix::process::geteuid();
    if !us.is_root() && meta.uid() != us.as_raw() {
        let what = format!("the data directory belongs to another user (uid {}), who may do with it what they want", meta.uid());
        let remedy = format!("run the node as that user, or run `chown -R {} {}`", us.as_raw(), data.display());
        faults.push(Fault { file: data.to_owned(), line: None, what, remedy });
    }
    for path in std::iter::once(data.to_owned()).chain(KEPT.map(|name| data.join(name))) {
        let Ok(meta) = fs::symlink_metadata(&path).and_then(|_| fs::metadata(&path)) else { continue };
        let mode = meta.mode() & 0o777;
        if mode & forbidden != 0 {
            let shared = match readers {
                DataReaders::OwnerOnly => "; `data_shared = true` accepts that others read",
                DataReaders::Shared => "",
            };
            let what = format!("others than the user of the node may {what} it (mode {mode:04o})");
            faults.push(Fault { file: path, line: None, what, remedy: format!("run `chmod -R {mode_right} {}`{shared}", data.display()) });
        }
    }
    faults.or(())
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn the_data_directory_is_the_nodes_own() {
        use DataReaders::{OwnerOnly, Shared};
        let home = tempfile::tempdir().expect("a directory");
        let data = home.path().join("data");
        assert_eq!(data_directory(&data, OwnerOnly), Ok(()), "it is made later");
        fs::create_dir(&data).expect("a directory");
        fs::create_dir(data.join(layout::LOG)).expect("a directory");
        for name in ["countersign.db", "subject-keys.db", "subject-keys.db-wal", "log.pub"] {
            fs::write(data.join(name), "x").expect("written");
        }
        let set = |name: &str, mode| fs::set_permissions(data.join(name), Permissions::from_mode(mode)).expect("a mode");
        // Of what, which mode, who may read, and whether it is taken.
        let rows: &[(&str, u32, DataReaders, bool)] = &[
            ("", 0o700, OwnerOnly, true),
            ("", 0o500, OwnerOnly, true),
            ("", 0o750, OwnerOnly, false),
            ("", 0o755, OwnerOnly, false),
            ("", 0o701, OwnerOnly, false),
            ("", 0o710, OwnerOnly, false),
            ("", 0o755, Shared, true),
            ("", 0o750, Shared, true),
            ("", 0o770, Shared, false),
            ("", 0o777, Shared, false),
            ("", 0o1777, Shared, false),
            ("log", 0o755, OwnerOnly, false),
            ("log", 0o755, Shared, true),
            ("countersign.db", 0o640, OwnerOnly, false),
            ("countersign.db", 0o640, Shared, true),
            ("countersign.db", 0o660, Shared, false),
            ("subject-keys.db", 0o604, OwnerOnly, false),
            ("subject-keys.db-wal", 0o644, OwnerOnly, false),
            ("log.pub", 0o644, OwnerOnly, true),
        ];
        for (name, mode, readers, taken) in rows {
            for (file, right) in [("log", 0o700), ("countersign.db", 0o600), ("subject-keys.db", 0o600), ("subject-keys.db-wal", 0o600)] {
                set(file, right);
            }
            set("", 0o700);
            set(name, *mode);
            let said = data_directory(&data, *readers).err().map(|faults| faults.to_string());
            assert_eq!(said.is_none(), *taken, "`{name}` {mode:o} {readers:?}: {said:?}");
            assert!(said.is_none_or(|said| said.contains("chmod -R go") && said.contains(&format!("mode {:04o}", mode & 0o777))));
        }
        set("", 0o700);
    }
}
