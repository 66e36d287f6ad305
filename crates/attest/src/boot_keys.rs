//! Verified boot keys of systems that somebody other than the phone's maker signs: a data file with a version.
//!
//! The shipped file has GrapheneOS's release keys as its makers publish them
//! (<https://grapheneos.org/articles/attestation-compatibility-guide>). A key is not accepted because it is in the file: the operator names
//! the accepted systems in the configuration.

use std::{collections::BTreeSet, fmt};

use countersign_core::{BootKey, Limits};
use serde::Deserialize;

/// The systems and their verified boot keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootKeys {
    version: u64,
    keys: Vec<(String, BootKey)>,
}

/// Reason why a file of keys is refused. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootKeysRefusal {
    /// A key is not a SHA-256 in hexadecimal.
    KeyMalformed(String),
    /// The text is not such a file; with the parser's message.
    Malformed(String),
    /// A key stands in the file twice.
    Repeated(String),
    /// The file has more keys, or more bytes, than are read.
    TooLarge,
}

impl fmt::Display for BootKeysRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyMalformed(key) => write!(f, "`{key}` is no verified boot key; write 64 hexadecimal digits"),
            Self::Malformed(why) => write!(f, "the file does not hold boot keys: {why}"),
            Self::Repeated(key) => write!(f, "the key `{key}` stands there twice; remove one"),
            Self::TooLarge => f.write_str("the file holds more keys than are read"),
        }
    }
}

impl std::error::Error for BootKeysRefusal {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKeys {
    version: u64,
    #[serde(rename = "source")]
    _source: Option<String>,
    keys: Vec<WireKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKey {
    system: String,
    #[serde(rename = "device")]
    _device: Option<String>,
    key: String,
}

impl BootKeys {
    /// Text of the shipped file.
    pub const SHIPPED: &'static str = include_str!("../data/boot_keys.json");

    /// Parses a file of keys.
    ///
    /// # Errors
    /// A refusal when the text has another format, or holds a key that could never match.
    pub fn parse(json: &str) -> Result<Self, BootKeysRefusal> {
        // The file may come over the network while the node runs, so its size is bounded before it is parsed.
        if json.len() > Limits::BOOT_KEYS_BYTES_MAX {
            return Err(BootKeysRefusal::TooLarge);
        }
        let wire: WireKeys = serde_json::from_str(json).map_err(|why| BootKeysRefusal::Malformed(why.to_string()))?;
        if wire.keys.len() > Limits::BOOT_KEYS_MAX {
            return Err(BootKeysRefusal::TooLarge);
        }
        let (mut seen, mut keys) = (BTreeSet::new(), Vec::new());
        for WireKey { system, key, .. } in wire.keys {
            // A phone reports the SHA-256 of the key, so anything of another length could never match.
            let bytes = hex::decode(&key).ok().filter(|bytes| bytes.len() == 32);
            let parsed = bytes.and_then(BootKey::new).ok_or_else(|| BootKeysRefusal::KeyMalformed(key.clone()))?;
            // A key under two systems would be accepted for the one that the operator did not name.
            if !seen.insert(parsed.clone()) {
                return Err(BootKeysRefusal::Repeated(key));
            }
            keys.push((system, parsed));
        }
        Ok(Self { version: wire.version, keys })
    }

    /// The shipped file, parsed.
    ///
    /// # Errors
    /// None in a release, since a test pins the file.
    pub fn shipped() -> Result<Self, BootKeysRefusal> {
        Self::parse(Self::SHIPPED)
    }

    /// Version of the file. It rises with every change, so a file with a lower version is older.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Names of the systems.
    #[must_use]
    pub fn systems(&self) -> BTreeSet<&str> {
        self.keys.iter().map(|(system, _)| system.as_str()).collect()
    }

    /// All keys, or those of one system.
    pub fn of<'a>(&'a self, system: Option<&'a str>) -> impl Iterator<Item = &'a BootKey> {
        self.keys.iter().filter(move |(name, _)| system.is_none_or(|system| system == name)).map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_read() {
        let keys = BootKeys::shipped().expect("shipped keys");
        assert_eq!(keys.systems().into_iter().collect::<Vec<_>>(), ["GrapheneOS"]);
        assert_eq!((keys.version(), keys.of(Some("GrapheneOS")).count(), keys.of(Some("LineageOS")).count()), (1, 16, 0));
        assert!(keys.of(None).any(|key| key.to_string().starts_with("cd7479653aa88208")), "a Pixel 8");
    }

    #[test]
    fn files_are_read_strictly() {
        let file = |key: &str| format!(r#"{{"version":1,"keys":[{{"system":"a","key":"{key}"}}]}}"#);
        let (good, short) = ("ab".repeat(32), "ab".repeat(31));
        let twice = format!(r#"{{"version":1,"keys":[{{"system":"a","key":"{good}"}},{{"system":"b","key":"{}"}}]}}"#, good.to_uppercase());
        let rows: &[(&str, String, Result<(), BootKeysRefusal>)] = &[
            ("one key", file(&good), Ok(())),
            ("a byte short", file(&short), Err(BootKeysRefusal::KeyMalformed(short.clone()))),
            ("another alphabet", file(&good.replace('a', "g")), Err(BootKeysRefusal::KeyMalformed(good.replace('a', "g")))),
            ("one key for two", twice, Err(BootKeysRefusal::Repeated(good.to_uppercase()))),
            ("too much", " ".repeat(Limits::BOOT_KEYS_BYTES_MAX + 1), Err(BootKeysRefusal::TooLarge)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(BootKeys::parse(text).map(|_| ()), *expected, "{name}");
        }
        assert!(matches!(BootKeys::parse(r#"{"version":1,"keys":[],"more":1}"#), Err(BootKeysRefusal::Malformed(_))));
    }
}
