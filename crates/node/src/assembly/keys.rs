//! Keys of ours: made when they are missing or due, kept in the store, handed to whoever uses them.

use std::sync::Arc;

use countersign_core::{Entropy, KeyId, Secret, UnixSeconds};
use countersign_proof::{
    jwk::{Algorithm, SigningKey},
    key_set::{KeyRing, RingKey, Rotation},
    set::SetSigningKey,
};
use countersign_risk::fingerprint::Salt;
use countersign_store::{KeyPurpose, Keys, StoredKey, Unavailable};

/// A ring of signing keys for `purpose`: with a new key if one is due, without those whose time is over.
///
/// # Errors
/// When the store does not answer or holds something that is no key.
pub async fn ring(keys: &dyn Keys, purpose: KeyPurpose, now: UnixSeconds) -> Result<KeyRing, Unavailable> {
    let stored = keys.list(purpose).await?;
    let mut all = stored.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let ring = KeyRing::new(all.clone(), Rotation::ACCESS_TOKENS);
    for id in ring.over(now) {
        keys.remove(purpose, id).await?;
    }
    if ring.next_due(now) <= now {
        let (key, pkcs8) = SigningKey::generate(Algorithm::Es256).map_err(|_| Unavailable::new("making a signing key"))?;
        let id = name(&key)?;
        keys.add(purpose, StoredKey { id: id.clone(), secret: pkcs8, created_at: now }).await?;
        all.push(RingKey { id, key: Arc::new(key), created_at: now });
    }
    Ok(KeyRing::new(all, Rotation::ACCESS_TOKENS))
}

/// The key that signs now, as a key of its own: what cannot share one takes it.
///
/// # Errors
/// When the store does not answer, or there is none.
pub async fn current(keys: &dyn Keys, purpose: KeyPurpose, ring: &KeyRing, now: UnixSeconds) -> Result<(KeyId, SigningKey), Unavailable> {
    let id = ring.current(now).map(|key| key.id.clone()).ok_or_else(|| Unavailable::new("no signing key has its turn"))?;
    let stored = keys.list(purpose).await?.into_iter().find(|key| key.id == id).ok_or_else(|| Unavailable::new("a signing key is gone"))?;
    let key = SigningKey::from_pkcs8(Algorithm::Es256, &stored.secret).map_err(|_| Unavailable::new("reading a signing key"))?;
    Ok((id, key))
}

/// The key that signs events for others, made once.
///
/// # Errors
/// When the store does not answer or holds something that is no key.
pub async fn shared_signals(keys: &dyn Keys, now: UnixSeconds) -> Result<SetSigningKey, Unavailable> {
    let purpose = KeyPurpose::SharedSignals;
    let broken = |_| Unavailable::new("reading the key of shared signals");
    if let Some(stored) = keys.list(purpose).await?.pop() {
        return SetSigningKey::from_pkcs8(stored.id, &stored.secret).map_err(broken);
    }
    let secret = SetSigningKey::generate().map_err(|_| Unavailable::new("making the key of shared signals"))?;
    let id = KeyId::parse(&format!("{}-{now}", purpose.as_str())).map_err(|_| Unavailable::new("naming a key"))?;
    let copy = Secret::new(secret.expose().clone());
    keys.add(purpose, StoredKey { id: id.clone(), secret, created_at: now }).await?;
    SetSigningKey::from_pkcs8(id, &copy).map_err(broken)
}

/// The salt of fingerprints, the same for as long as the data directory lives.
///
/// # Errors
/// When the store does not answer or holds something else.
pub async fn salt(keys: &dyn Keys, entropy: &dyn Entropy, now: UnixSeconds) -> Result<Salt, Unavailable> {
    let bytes = secret(keys, KeyPurpose::Fingerprints, entropy, now).await?;
    Ok(Salt(bytes.expose().iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))))
}

/// The 32 secret bytes for `purpose`, made once.
///
/// # Errors
/// When the store does not answer or holds something else.
pub async fn secret(
    keys: &dyn Keys,
    purpose: KeyPurpose,
    entropy: &dyn Entropy,
    now: UnixSeconds,
) -> Result<Secret<[u8; 32]>, Unavailable> {
    if let Some(stored) = keys.list(purpose).await?.pop() {
        let bytes = stored.secret.expose().as_slice().try_into().map_err(|_| Unavailable::new("a stored key has another length"))?;
        return Ok(Secret::new(bytes));
    }
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let id = KeyId::parse(&format!("{}-{now}", purpose.as_str())).map_err(|_| Unavailable::new("naming a key"))?;
    keys.add(purpose, StoredKey { id, secret: Secret::new(bytes.to_vec()), created_at: now }).await?;
    Ok(Secret::new(bytes))
}

/// The Ed25519 key that signs the log's checkpoints, in PKCS#8, made once: it is the log's identity.
///
/// # Errors
/// When the store does not answer.
pub async fn checkpoint(keys: &dyn Keys, now: UnixSeconds) -> Result<Secret<Vec<u8>>, Unavailable> {
    if let Some(stored) = keys.list(KeyPurpose::Checkpoint).await?.into_iter().next() {
        return Ok(stored.secret);
    }
    let (key, pkcs8) = SigningKey::generate(Algorithm::EdDsa).map_err(|_| Unavailable::new("making the log's key"))?;
    keys.add(KeyPurpose::Checkpoint, StoredKey { id: name(&key)?, secret: pkcs8.clone(), created_at: now }).await?;
    Ok(pkcs8)
}

fn read(stored: &StoredKey) -> Result<RingKey, Unavailable> {
    let key = SigningKey::from_pkcs8(Algorithm::Es256, &stored.secret).map_err(|_| Unavailable::new("reading a signing key"))?;
    Ok(RingKey { id: stored.id.clone(), key: Arc::new(key), created_at: stored.created_at })
}

/// A key is called by its thumbprint (RFC 7638), so that no two have one name.
fn name(key: &SigningKey) -> Result<KeyId, Unavailable> {
    KeyId::parse(&key.public().thumbprint().to_string()).map_err(|_| Unavailable::new("naming a key"))
}
