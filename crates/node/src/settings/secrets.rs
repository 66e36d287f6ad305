//! Files that hold secrets: who may read them, and how strong a bearer token is at least.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use countersign_core::{Limits, Secret};

use crate::{
    config::{Config, Fault, Faults, PlaySource},
    files,
};

/// Permissions that a file of secrets may not give: any to everybody, and that of the group to write. A group that may read is how
/// systems hand certificates to services.
const FORBIDDEN: u32 = 0o027;

/// Checks the modes of all files of secrets that the config names. Those that cannot be looked at are left to whoever reads them.
///
/// # Errors
/// Each file that others may read or change.
pub(crate) fn modes(config: &Config) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for (path, line) in named(config) {
        let Ok(meta) = fs::metadata(path) else { continue };
        let mode = meta.mode() & 0o777;
        if mode & FORBIDDEN != 0 {
            let what = format!("`{}` holds a secret, and others may read or change it (mode {mode:04o})", path.display());
            faults.push(Fault::at(&config.file, line, what, format!("run `chmod 600 {}`", path.display())));
        }
    }
    faults.or(())
}

/// The files of secrets, each with the line that names it.
fn named(config: &Config) -> Vec<(&Path, usize)> {
    let mut all: Vec<(&PathBuf, usize)> = Vec::new();
    all.extend(config.metrics.token.iter().map(|(path, line)| (path, *line)));
    all.extend(config.tls.iter().map(|tls| (&tls.key, tls.line)));
    all.extend(config.signals.sources.iter().map(|source| (&source.token, source.line)));
    all.extend(config.signals.targets.iter().map(|target| (&target.token, target.line)));
    all.extend(config.monitor.webhook.iter().map(|webhook| (&webhook.secret, webhook.line)));
    all.extend(config.monitor.email.iter().filter_map(|email| Some((&email.login.as_ref()?.password, email.line))));
    all.extend(config.apps.iter().filter_map(|app| app.play.as_ref()).map(|play| match play {
        PlaySource::Keys(file, line) | PlaySource::ServiceAccount(file, line) => (file, *line),
    }));
    all.into_iter().map(|(path, line)| (path.as_path(), line)).collect()
}

/// Advice for a token that is not taken.
pub(crate) const NEW_TOKEN: &str = "write a random token into it, such as that of `openssl rand -hex 32`";

/// Why a bearer token is not taken. Alphabetical.
#[derive(Debug)]
pub(crate) enum TokenRefusal {
    /// There is nothing in the file.
    Empty,
    /// The file cannot be read.
    Io(io::Error),
    /// It has characters that no header can carry (RFC 6750 section 2.1, `b64token`).
    Malformed,
    /// It has fewer than [`Limits::TOKEN_BITS_MIN`] bits.
    Weak,
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Io(why) => write!(f, "it cannot be read: {why}"),
            Self::Malformed => f.write_str("it has characters that a token cannot have"),
            Self::Weak => write!(f, "its token can be guessed: it has fewer than {} bits", Limits::TOKEN_BITS_MIN),
        }
    }
}

/// Reads a bearer token from its file.
///
/// # Errors
/// Why it is not taken.
pub(crate) fn token(path: &Path) -> Result<Secret<String>, TokenRefusal> {
    let text = files::read_text(path).map_err(TokenRefusal::Io)?;
    strong(text.trim()).map(|token| Secret::new(token.to_owned()))
}

/// Checks that a token cannot be guessed, as far as its text shows: by its length in the alphabet that it keeps to, and by how many
/// different characters it has.
fn strong(token: &str) -> Result<&str, TokenRefusal> {
    if token.is_empty() {
        return Err(TokenRefusal::Empty);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if !token.bytes().all(allowed) {
        return Err(TokenRefusal::Malformed);
    }
    // Padding carries nothing.
    let carrying = token.trim_end_matches('=');
    let bits_a_character = if carrying.bytes().all(|b| b.is_ascii_digit()) {
        3
    } else if carrying.bytes().all(|b| b.is_ascii_hexdigit()) {
        4
    } else {
        6
    };
    let different: std::collections::BTreeSet<_> = carrying.bytes().collect();
    let enough =
        carrying.len().saturating_mul(bits_a_character) >= Limits::TOKEN_BITS_MIN && different.len() >= Limits::TOKEN_CHARACTERS_MIN;
    if enough { Ok(token) } else { Err(TokenRefusal::Weak) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::parse;

    #[test]
    fn a_token_cannot_be_guessed() {
        let rows: &[(&str, &str, &str)] = &[
            ("nothing", "", "it is empty"),
            ("a blank line", " \n", "it is empty"),
            ("a word", "secret", "fewer than 128 bits"),
            ("15 bytes in base64url", "AAECAwQFBgcICQoLDA0O", "fewer than 128 bits"),
            ("16 bytes in base64url", "AAECAwQFBgcICQoLDA0ODw", ""),
            ("16 bytes in base64", "AAECAwQFBgcICQoLDA0ODw==\n", ""),
            ("padding is nothing", "AAECAwQFBgcICQoLDA==========", "fewer than 128 bits"),
            ("15 bytes in hexadecimal", "000102030405060708090a0b0c0d0e", "fewer than 128 bits"),
            ("16 bytes in hexadecimal", "000102030405060708090a0b0c0d0e0f", ""),
            ("32 digits", "01234567890123456789012345678901", "fewer than 128 bits"),
            ("one character, often", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "fewer than 128 bits"),
            ("a byte order mark before it", "\u{feff}AAECAwQFBgcICQoLDA0ODw", ""),
            ("two lines", "AAECAwQFBgcICQoLDA0ODw\nAAECAwQFBgcICQoLDA0ODw", "characters"),
            ("beyond ASCII", "AAECAwQFBgcICQoLDA0ODé", "characters"),
        ];
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("token");
        for (name, text, expected) in rows {
            fs::write(&path, text).expect("written");
            let refused = token(&path).err().map(|why| why.to_string()).unwrap_or_default();
            assert_eq!(refused.is_empty(), expected.is_empty(), "{name}: {refused}");
            assert!(refused.contains(expected), "{name}: {refused}");
        }
        assert!(matches!(token(&home.path().join("none")), Err(TokenRefusal::Io(_))));
    }

    #[test]
    fn secrets_are_read_by_nobody_else() {
        let home = tempfile::tempdir().expect("a directory");
        let text = "public_url = \"https://api.example.com\"\nupstream = \"http://127.0.0.1:8080\"\n[app.\"com.example.shop\"]\n\
                    android = { cert_sha256 = [], play_keys = \"play.json\" }\n[tls]\ncert = \"c\"\nkey = \"key.pem\"\n\
                    [monitor.webhook]\nurl = \"https://a.example\"\nsecret_file = \"webhook.secret\"\n\
                    [monitor.email]\nhost = \"127.0.0.1\"\nport = 9\ntls = \"none\"\nusername = \"a\"\npassword_file = \"mail.password\"\n\
                    from = \"a@example.com\"\nto = [\"b@example.com\"]\n\
                    [[signals.receive]]\nissuer = \"i\"\naudience = \"a\"\njwks = \"jwks\"\ntoken_file = \"in.token\"\n\
                    [[signals.transmit]]\naudience = \"b\"\ntoken_file = \"out.token\"\n";
        let config = parse(text, &home.path().join("csign.toml")).expect("understood");
        let files = ["key.pem", "play.json", "webhook.secret", "mail.password", "in.token", "out.token"];
        for file in files {
            fs::write(home.path().join(file), "x").expect("written");
        }
        let set = |file: &str, mode| {
            fs::set_permissions(home.path().join(file), fs::Permissions::from_mode(mode)).expect("a mode");
        };
        for file in files {
            files.iter().for_each(|file| set(file, 0o600));
            let rows = [
                (0o600, true),
                (0o400, true),
                (0o640, true),
                (0o440, true),
                (0o644, false),
                (0o604, false),
                (0o660, false),
                (0o602, false),
            ];
            for (mode, taken) in rows {
                set(file, mode);
                let said = modes(&config).err().map(|faults| faults.to_string());
                assert_eq!(said.is_none(), taken, "{file} {mode:o}: {said:?}");
                assert!(said.is_none_or(|said| said.contains(file) && said.contains(&format!("mode {mode:04o}"))));
            }
        }
    }
}
