//! Published vectors: RFC 7520, RFC 8037, RFC 9449, and Wycheproof for JWS, JWK, ECDSA on P-256 and Ed25519.
//!
//! They lie beside the checkout; without them these tests say that they are skipped. `stricter.toml` lists what is refused
//! although a vector calls it valid.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops by panicking; clippy does not know helpers outside of a `#[test]` as tests"
)]

use std::{collections::BTreeSet, fs, path::PathBuf};

use countersign_core::{Secret, UnixSeconds};
use countersign_proof::{
    access_token,
    dpop::{self, BoundTo, Expected, ProofRefusal},
    jwk::PublicKey,
    jws::{Jws, Type},
    key_set::KeySet,
    nonce::NonceKeys,
    target::Target,
    window::{NonceRule, TimeRefusal},
};
use serde_json::Value;

/// The folder of published vectors, when it is there.
fn jose() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/jose"));
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: shared/ is not beside the checkout");
    None
}

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(&path).expect("a file of vectors")).expect("JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {value}"))
}

/// The entries of `stricter.toml` for a suite.
fn stricter(suite: &str) -> BTreeSet<String> {
    let list: toml::Value = toml::from_str(include_str!("stricter.toml")).expect("TOML");
    let entries = list["stricter"].as_array().expect("entries").iter();
    let ours = entries.filter(|entry| entry["suite"].as_str() == Some(suite));
    let vectors: Vec<_> = ours.flat_map(|entry| entry["vectors"].as_array().expect("vectors")).collect();
    let unique: BTreeSet<_> = vectors.iter().map(|v| v.as_str().expect("a vector's number").to_owned()).collect();
    assert_eq!(unique.len(), vectors.len(), "stricter.toml names a vector of {suite} twice");
    unique
}

/// Judges every vector of a Wycheproof suite and compares the outcome with the published one and with our list.
fn wycheproof(suite: &str, judge: impl Fn(&Value, &Value) -> Result<(), String>) {
    let Some(jose) = jose() else { return };
    let published = json(jose.join(suite));
    let listed = stricter(suite);
    let (mut judged, mut taken, mut stricter_here) = (0, 0, BTreeSet::new());
    for group in published["testGroups"].as_array().expect("groups") {
        for vector in group["tests"].as_array().expect("vectors") {
            let name = format!("{suite} {} ({})", vector["tcId"], text(vector, "comment"));
            judged += 1;
            match (text(vector, "result"), judge(group, vector)) {
                ("valid", Ok(())) => taken += 1,
                ("valid", Err(why)) => {
                    let id = vector["tcId"].to_string();
                    assert!(listed.contains(&id), "{name} is valid, was refused ({why}), and stricter.toml does not say why");
                    stricter_here.insert(id);
                }
                ("invalid", verdict) => assert!(verdict.is_err(), "{name} is invalid and was taken"),
                (other, _) => panic!("{name}: unknown result `{other}`"),
            }
        }
    }
    assert_eq!(listed, stricter_here, "stricter.toml lists vectors of {suite} that are not refused, or not there");
    assert_eq!(published["numberOfTests"], judged);
    println!("{suite}: {judged} vectors, {taken} taken, {} refused although valid", stricter_here.len());
}

#[test]
fn wycheproof_jws() {
    wycheproof("wycheproof/json_web_signature_test.json", |group, vector| {
        let key = if group["public"].is_null() { &group["private"] } else { &group["public"] };
        let key = PublicKey::from_jwk(&key.to_string()).map_err(|why| format!("{why:?}"))?;
        let jws = Jws::read(text(vector, "jws"), Type::Any).map_err(|why| format!("{why:?}"))?;
        jws.verify(&key).map(|_| ()).map_err(|why| format!("{why:?}"))
    });
}

#[test]
fn wycheproof_jwk() {
    wycheproof("wycheproof/json_web_key_test.json", |group, vector| {
        let keys = if group["public"].is_null() { &group["private"] } else { &group["public"] };
        let keys = KeySet::from_jwks(&keys.to_string()).map_err(|why| format!("{why:?}"))?;
        let jws = Jws::read(text(vector, "jws"), Type::Any).map_err(|why| format!("{why:?}"))?;
        keys.verify(jws).map(|_| ()).map_err(|why| format!("{why:?}"))
    });
}

#[test]
fn wycheproof_ecdsa() {
    wycheproof("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", |group, vector| {
        let point = hex::decode(text(&group["publicKey"], "uncompressed")).expect("hexadecimal");
        let key = PublicKey::from_p256_sec1(&point).map_err(|why| format!("{why:?}"))?;
        if !group["publicKeyJwk"].is_null() {
            assert_eq!(PublicKey::from_jwk(&group["publicKeyJwk"].to_string()).as_ref(), Ok(&key), "one key, two forms");
        }
        verify(&key, vector)
    });
}

#[test]
fn wycheproof_ed25519() {
    wycheproof("wycheproof/ed25519_test.json", |group, vector| {
        let key = PublicKey::from_jwk(&group["publicKeyJwk"].to_string()).map_err(|why| format!("{why:?}"))?;
        verify(&key, vector)
    });
}

fn verify(key: &PublicKey, vector: &Value) -> Result<(), String> {
    let bytes = |name| hex::decode(text(vector, name)).expect("hexadecimal");
    key.verify(&bytes("msg"), &bytes("sig")).map_err(|why| format!("{why:?}"))
}

/// Every example that is one file: taken, or refused and on the list.
#[test]
fn rfc_7520_and_its_kin() {
    let Some(jose) = jose() else { return };
    let judge_jws = |example: &Value| -> Result<(), String> {
        let key = PublicKey::from_jwk(&public_half(&example["input"]["key"]).to_string()).map_err(|why| format!("{why:?}"));
        // An example without the compact form is read in the form that it has, which must be refused as well.
        let text = example["output"]["compact"].as_str().map_or_else(|| example["output"]["json"].to_string(), String::from);
        let jws = Jws::read(&text, Type::Any).map_err(|why| format!("{why:?}"))?;
        let payload = jws.verify(&key?).map_err(|why| format!("{why:?}"))?;
        assert_eq!(Some(payload.as_bytes()), example["input"]["payload"].as_str().map(str::as_bytes));
        Ok(())
    };
    let judge_jwk = |example: &Value| PublicKey::from_jwk(&example.to_string()).map(|_| ()).map_err(|why| format!("{why:?}"));
    for (folder, judge) in
        [("rfc7520/jws", &judge_jws as &dyn Fn(&Value) -> _), ("rfc7520/rfc7797", &judge_jws), ("rfc7520/jwk", &judge_jwk)]
    {
        for file in fs::read_dir(jose.join(folder)).expect("a folder of examples").flatten() {
            let name = format!("{folder}/{}", file.file_name().to_string_lossy());
            if !name.ends_with(".json") {
                continue;
            }
            let verdict = judge(&json(file.path()));
            let listed = !stricter(&name).is_empty();
            assert_eq!(verdict.is_err(), listed, "{name}: {verdict:?}; stricter.toml says otherwise");
        }
    }
    // RFC 8037 appendix A.4.
    assert_eq!(judge_jws(&json(jose.join("rfc7520/curve25519/jws.json"))), Ok(()));
}

/// The examples print private keys, which are not read.
fn public_half(key: &Value) -> Value {
    let mut key = key.clone();
    if let Some(members) = key.as_object_mut().filter(|members| members.contains_key("crv")) {
        members.remove("d");
    }
    key
}

#[test]
fn rfc_9449_examples() {
    let Some(jose) = jose() else { return };
    let example = &json(jose.join("rfc/vectors.json"))["rfc9449"];
    let nonces = NonceKeys::new(&Secret::new([1; 32]), None);
    let proofs = [text(example, "token_request_proof"), text(example, "resource_request_proof")];
    let places = example["htm_htu"].as_array().expect("two places");
    let key = *dpop::read(proofs[0]).expect("the RFC's proof").key().thumbprint();
    assert_eq!(key.to_string(), text(example, "jkt"));
    assert_eq!(access_token::hash_text(text(example, "access_token")), text(example, "ath"));
    let to_token = BoundTo::AccessToken { key: &key, hash: text(example, "ath") };
    for (proof, place, bound_to) in [(proofs[0], &places[0], BoundTo::TokenRequest), (proofs[1], &places[1], to_token)] {
        let target = Target::parse(place[1].as_str().expect("a URL")).expect("a target");
        let expected =
            Expected { method: place[0].as_str().expect("a method"), target: &target, bound_to, nonces: NonceRule::Accepted(&nonces) };
        let made_at = place[2].as_u64().expect("a time");
        let judge = |now| dpop::bind(dpop::read(proof).expect("the RFC's proof"), &expected, UnixSeconds(now)).map(|_| ());
        assert_eq!(judge(made_at), Ok(()));
        assert_eq!(judge(made_at + 61), Err(ProofRefusal::Time(TimeRefusal::TooOld)));
    }
}
