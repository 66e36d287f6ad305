//! Nonces that need no storage: a time bucket, authenticated for the one key that is to use it (RFC 9449 sections 8 and 9).
//!
//! A nonce counts for the key whose thumbprint stands in its tag and for no other. Whoever holds a key for a moment can therefore make
//! proofs ahead for as long as the nonces live that were given to that very key, and no longer (RFC 9449 section 11.2).

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use countersign_codec::base64url;
use countersign_core::{Limits, Seconds, Secret, Thumbprint, UnixSeconds};
use subtle::ConstantTimeEq;

/// Length of one bucket in seconds. All nonces of a bucket and a key are the same text. Short, because it adds to the life of a nonce.
const BUCKET_SECONDS: u64 = 5;

/// Label that is authenticated with the bucket, so that the key's tags serve no other purpose.
const LABEL: &[u8] = b"countersign nonce 2";

/// Keys that make and recognise nonces.
#[derive(Debug)]
pub struct NonceKeys {
    current: hmac::Key,
    previous: Option<hmac::Key>,
    /// Instant up to which used proofs may have been forgotten.
    memory_since: AtomicU64,
    /// Number of times that the clock was set back. Nonces of an earlier count are none, although their time comes a second time.
    turned_back: AtomicU64,
}

/// Reach of the replay memory at the time of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// The memory began after the proof may have been used, so it cannot vouch for it.
    TooYoung,
    /// The memory covers the whole time since the proof was made.
    Whole,
}

/// Validity of a nonce of ours. Only [`NonceKeys::check`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct NonceTime {
    bucket: UnixSeconds,
    life: Seconds,
}

/// Reason why a text is not a valid nonce now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceRefusal {
    /// The nonce was issued here, but too long ago.
    Stale,
    /// The nonce was never issued here, or was issued for another key.
    Unknown,
}

impl NonceTime {
    /// First second at which the nonce is valid. It lies before the bucket, because the clocks of nodes differ a little.
    #[must_use]
    pub const fn first(&self) -> UnixSeconds {
        self.bucket.minus(Limits::PROOF_SKEW_MAX)
    }

    /// Last second at which the nonce is valid.
    #[must_use]
    pub const fn last(&self) -> UnixSeconds {
        self.bucket.plus(Seconds(BUCKET_SECONDS)).plus(self.life)
    }
}

impl NonceKeys {
    /// Keys that make nonces with `current`. Nonces made with `previous` are still recognised, so that the key can be changed.
    #[must_use]
    pub fn new(current: &Secret<[u8; 32]>, previous: Option<&Secret<[u8; 32]>>) -> Self {
        let key = |secret: &Secret<[u8; 32]>| hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        Self { current: key(current), previous: previous.map(key), memory_since: AtomicU64::new(0), turned_back: AtomicU64::new(0) }
    }

    /// States since when used proofs are remembered, for a memory that was lost with an earlier process. A proof that may be older than
    /// `start` needs a nonce, which only keys younger than the memory can have made.
    #[must_use]
    pub fn remembering_since(self, start: UnixSeconds) -> Self {
        Self { memory_since: AtomicU64::new(start.0), ..self }
    }

    /// Begins again after the clock was set back from `latest`: seconds come a second time, and with them would come proofs and nonces
    /// whose use was forgotten. From now on no earlier nonce is one of ours, and a proof that may be older than `latest` needs a new one.
    pub fn begin_again(&self, latest: UnixSeconds) {
        self.memory_since.fetch_max(latest.0, Ordering::SeqCst);
        self.turned_back.fetch_add(1, Ordering::SeqCst);
    }

    /// Tells whether a proof made at `issued_at`, by its own statement, could have been used before the memory began. Its clock may have
    /// been ahead by as much as is tolerated.
    pub(crate) fn may_have_been_used(&self, issued_at: UnixSeconds) -> Memory {
        // 0 stands for a memory that was never lost.
        let since = UnixSeconds(self.memory_since.load(Ordering::SeqCst));
        if since.0 > 0 && issued_at <= since.plus(Limits::PROOF_SKEW_MAX) { Memory::TooYoung } else { Memory::Whole }
    }

    /// The nonce for the key `holder` at `now`: 32 characters of base64url.
    #[must_use]
    pub fn issue(&self, holder: &Thumbprint, now: UnixSeconds) -> String {
        let bucket = now.0.saturating_sub(now.0 % BUCKET_SECONDS).to_be_bytes();
        let mut out = String::with_capacity(32);
        let mut nonce = [0; 24];
        nonce.iter_mut().zip(bucket.iter().chain(&self.tag(&self.current, bucket, holder))).for_each(|(to, from)| *to = *from);
        base64url::encode_onto(nonce, &mut out);
        out
    }

    /// Recognises a nonce of ours that was issued for the key `holder`, and that counts for `life` after its bucket.
    ///
    /// # Errors
    /// `Unknown` when it was not made with one of our keys, or for another key; `Stale` when its time is over.
    pub fn check(&self, text: &str, holder: &Thumbprint, life: Seconds, now: UnixSeconds) -> Result<NonceTime, NonceRefusal> {
        let bytes: [u8; 24] = base64url::decode_array(text).map_err(|_| NonceRefusal::Unknown)?;
        let (bucket, given) = bytes.split_first_chunk::<8>().ok_or(NonceRefusal::Unknown)?;
        // Compared in constant time, since a nonce that somebody could forge would stand for a time of his choice.
        let made_with = |key: &hmac::Key| bool::from(self.tag(key, *bucket, holder).ct_eq(given));
        if !made_with(&self.current) && !self.previous.as_ref().is_some_and(made_with) {
            return Err(NonceRefusal::Unknown);
        }
        let time = NonceTime { bucket: UnixSeconds(u64::from_be_bytes(*bucket)), life };
        if (time.first()..=time.last()).contains(&now) { Ok(time) } else { Err(NonceRefusal::Stale) }
    }

    /// Tag of a bucket and a key: half of an HMAC-SHA256, which leaves 128 bits that nobody can guess (RFC 2104 section 5 allows the cut).
    fn tag(&self, key: &hmac::Key, bucket: [u8; 8], holder: &Thumbprint) -> [u8; 16] {
        let mut context = hmac::Context::with_key(key);
        context.update(LABEL);
        context.update(&bucket);
        context.update(holder.as_bytes());
        // Nothing is added while the clock was never set back, so that nodes of two versions know each other's nonces.
        let turned_back = self.turned_back.load(Ordering::SeqCst);
        if turned_back > 0 {
            context.update(&turned_back.to_be_bytes());
        }
        let mut out = [0; 16];
        out.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Secret<[u8; 32]> = Secret::new([1; 32]);
    const OLD: Secret<[u8; 32]> = Secret::new([2; 32]);
    const HOLDER: Thumbprint = Thumbprint::from_bytes([9; 32]);
    const LIFE: Seconds = Limits::ISSUER_NONCE_LIFE;
    /// The first second of a bucket.
    const BUCKET: UnixSeconds = UnixSeconds(1_000_020);

    #[test]
    fn a_nonce_counts_for_its_time() {
        let keys = NonceKeys::new(&KEY, None);
        let nonce = keys.issue(&HOLDER, BUCKET.plus(Seconds(4)));
        assert_eq!(nonce, keys.issue(&HOLDER, BUCKET), "one bucket, one nonce");
        assert_ne!(nonce, keys.issue(&HOLDER, BUCKET.plus(Seconds(5))), "the next bucket, the next nonce");
        // Computed by another implementation of HMAC: nodes of two versions must know each other's.
        assert_eq!(nonce, "AAAAAAAPQlTqrhA4sILbYzS9vXxBI2ga");
        let rows: &[(&str, Seconds, i64, Result<(), NonceRefusal>)] = &[
            ("at once", LIFE, 0, Ok(())),
            ("on a node whose clock lags", LIFE, -5, Ok(())),
            ("before it was made", LIFE, -6, Err(NonceRefusal::Stale)),
            ("in its last second", LIFE, 30, Ok(())),
            ("one second later", LIFE, 31, Err(NonceRefusal::Stale)),
            ("where it may live longer", Limits::NONCE_LIFE, 31, Ok(())),
            ("in the last second there", Limits::NONCE_LIFE, 65, Ok(())),
            ("one second later there", Limits::NONCE_LIFE, 66, Err(NonceRefusal::Stale)),
        ];
        for (name, life, seconds, expected) in rows {
            let now = UnixSeconds(BUCKET.0.saturating_add_signed(*seconds));
            assert_eq!(keys.check(&nonce, &HOLDER, *life, now).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn nobody_else_makes_or_uses_nonces() {
        let keys = NonceKeys::new(&KEY, Some(&OLD));
        let good = keys.issue(&HOLDER, BUCKET);
        let old = NonceKeys::new(&OLD, None).issue(&HOLDER, BUCKET);
        let foreign = NonceKeys::new(&Secret::new([3; 32]), None).issue(&HOLDER, BUCKET);
        let anothers = keys.issue(&Thumbprint::from_bytes([8; 32]), BUCKET);
        let (long, short) = (format!("{good}A"), good.chars().skip(1).collect::<String>());
        let rows: &[(&str, &str, Result<(), NonceRefusal>)] = &[
            ("ours", &good, Ok(())),
            ("by the key before", &old, Ok(())),
            ("by a foreign key", &foreign, Err(NonceRefusal::Unknown)),
            ("for another holder", &anothers, Err(NonceRefusal::Unknown)),
            ("one character more", &long, Err(NonceRefusal::Unknown)),
            ("one character less", &short, Err(NonceRefusal::Unknown)),
            ("nothing", "", Err(NonceRefusal::Unknown)),
            ("beyond ASCII", "ää", Err(NonceRefusal::Unknown)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(keys.check(text, &HOLDER, LIFE, BUCKET).map(|_| ()), *expected, "{name}");
        }
        let gone = NonceKeys::new(&KEY, None).check(&old, &HOLDER, LIFE, BUCKET);
        assert_eq!(gone.map(|_| ()), Err(NonceRefusal::Unknown), "the key before is gone");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_old_nonce_good() {
        let keys = NonceKeys::new(&KEY, Some(&OLD)).remembering_since(UnixSeconds(10));
        let before = keys.issue(&HOLDER, BUCKET);
        assert_eq!(keys.may_have_been_used(BUCKET), Memory::Whole);
        keys.begin_again(BUCKET.plus(Seconds(7_200)));
        let rows: &[(&str, u64, Memory)] = &[
            ("made now", 0, Memory::TooYoung),
            ("made when the clock was ahead", 7_200, Memory::TooYoung),
            ("made by a phone that was ahead of that", 7_205, Memory::TooYoung),
            ("made later than the clock ever was", 7_206, Memory::Whole),
        ];
        for (name, ahead, expected) in rows {
            assert_eq!(keys.may_have_been_used(BUCKET.plus(Seconds(*ahead))), *expected, "{name}");
        }
        assert_eq!(
            keys.check(&before, &HOLDER, LIFE, BUCKET).map(|_| ()),
            Err(NonceRefusal::Unknown),
            "the second time that this second comes"
        );
        let second = keys.issue(&HOLDER, BUCKET);
        assert_eq!(keys.check(&second, &HOLDER, LIFE, BUCKET).map(|_| ()), Ok(()));
        keys.begin_again(BUCKET);
        assert_eq!(keys.check(&second, &HOLDER, LIFE, BUCKET).map(|_| ()), Err(NonceRefusal::Unknown), "and the third");
        assert_eq!(keys.may_have_been_used(BUCKET.plus(Seconds(7_200))), Memory::TooYoung, "what was forgotten stays forgotten");
    }

    #[test]
    fn the_ends_of_time_do_not_wrap() {
        let keys = NonceKeys::new(&KEY, None);
        for now in [UnixSeconds(0), UnixSeconds(u64::MAX)] {
            assert!(keys.check(&keys.issue(&HOLDER, now), &HOLDER, LIFE, now).is_ok(), "{now}");
        }
    }
}
