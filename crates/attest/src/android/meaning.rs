//! Meanings of the numbers in a key description, after Keymaster's and KeyMint's `Tag.aidl` and the files beside it.

use countersign_core::UnixMillis;

use crate::calendar::written;

/// Meaning of `text` in the field `name`; `None` when it needs no explanation or is not known.
pub(super) fn meaning(name: &str, text: &str) -> Option<String> {
    let number = || text.parse::<u64>().ok();
    match name {
        "purposes" => named(PURPOSES, number()?),
        "algorithms" => named(ALGORITHMS, number()?),
        "blockModes" => named(BLOCK_MODES, number()?),
        "digests" | "rsaOaepMgfDigests" => named(DIGESTS, number()?),
        "paddings" => named(PADDINGS, number()?),
        "ecCurve" => named(CURVES, number()?),
        "mlDsaVariant" => named(ML_DSA_VARIANTS, number()?),
        "attestationVersion" => named(ATTESTATION_VERSIONS, number()?),
        "userAuthType" => user_auth(number()?),
        "authTimeout" => Some(String::from("seconds")),
        "osVersion" => os_version(number()?),
        "creationDateTime" | "activeDateTime" | "originationExpireDateTime" | "usageExpireDateTime" => {
            Some(written(UnixMillis(number()?).seconds()))
        }
        _ => None,
    }
}

const PURPOSES: &[(u64, &str)] =
    &[(0, "encrypt"), (1, "decrypt"), (2, "sign"), (3, "verify"), (5, "wrap a key"), (6, "agree on a key"), (7, "attest keys")];
const ALGORITHMS: &[(u64, &str)] = &[(1, "RSA"), (3, "EC"), (4, "ML-DSA"), (32, "AES"), (33, "3DES"), (128, "HMAC")];
const BLOCK_MODES: &[(u64, &str)] = &[(1, "ECB"), (2, "CBC"), (3, "CTR"), (32, "GCM")];
const DIGESTS: &[(u64, &str)] = &[(0, "none"), (1, "MD5"), (2, "SHA-1"), (3, "SHA-224"), (4, "SHA-256"), (5, "SHA-384"), (6, "SHA-512")];
const PADDINGS: &[(u64, &str)] =
    &[(1, "none"), (2, "RSA OAEP"), (3, "RSA PSS"), (4, "RSA PKCS#1 v1.5 encryption"), (5, "RSA PKCS#1 v1.5 signature"), (64, "PKCS#7")];
const CURVES: &[(u64, &str)] = &[(0, "P-224"), (1, "P-256"), (2, "P-384"), (3, "P-521"), (4, "Curve 25519")];
const ML_DSA_VARIANTS: &[(u64, &str)] = &[(1, "ML-DSA-65"), (2, "ML-DSA-87")];
const ATTESTATION_VERSIONS: &[(u64, &str)] = &[
    (1, "Keymaster 2"),
    (2, "Keymaster 3"),
    (3, "Keymaster 4.0"),
    (4, "Keymaster 4.1"),
    (100, "KeyMint 1"),
    (200, "KeyMint 2"),
    (300, "KeyMint 3"),
    (400, "KeyMint 4"),
    (500, "KeyMint 5"),
];

fn named(names: &[(u64, &str)], number: u64) -> Option<String> {
    names.iter().find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned())
}

/// Meaning of the bits of `userAuthType`: 1 is the screen lock's secret, 2 a strong biometric.
fn user_auth(bits: u64) -> Option<String> {
    match bits {
        1 => Some(String::from("screen lock")),
        2 => Some(String::from("biometric")),
        3 => Some(String::from("screen lock or biometric")),
        _ => None,
    }
}

/// Version from `MMmmss`, two digits each for the minor and sub-minor version; `None` for 0.
fn os_version(number: u64) -> Option<String> {
    (number != 0).then(|| format!("Android {}.{}.{}", number / 10_000, number / 100 % 100, number % 100))
}
