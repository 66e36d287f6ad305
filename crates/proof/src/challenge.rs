//! Challenges that need no storage until they are answered, made as nonces are: authenticated for their purpose, app, key and time.
//!
//! Whoever asks for a challenge proves nothing, so nothing is remembered of the question. An answer brings its challenge back, and only
//! the challenges that were answered are remembered, until they lapse. There are two kinds. [`ChallengeKeys::make`] gives 32 bytes for the
//! evidence of a phone's hardware, which has room for no more. [`ChallengeKeys::seal`] gives a text that carries the state of a passkey
//! ceremony, encrypted, since that state holds what the client may not choose.
//!
//! The keys live as long as the process, and so does the memory of what was spent: a challenge from before a restart opens nothing.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
};
use countersign_codec::base64url;
use countersign_core::{ClientId, Limits, Secret, Thumbprint, UnixSeconds};
use subtle::ConstantTimeEq;

use crate::jwk::CryptoFailure;

/// Bytes of a challenge: five of the second in which it was made, one that says its room and whether it is bound to a key, ten that are
/// unpredictable, sixteen of the tag.
const CHALLENGE_BYTES: usize = 32;
/// Bytes before the tag.
const HEAD_BYTES: usize = 16;
/// Bytes of a sealed ceremony before its content: the second, the room, and what names it.
const SEALED_HEAD_BYTES: usize = 22;
/// Bit that says that a challenge is bound to a key.
const BOUND: u8 = 0x80;

/// Rooms of the memory of spent challenges. A flood through one room shortens the life of challenges in that room only.
pub const ROOMS: u8 = 16;

/// Reason why a challenge is none. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeRefusal {
    /// The challenge was made here, and its time is over.
    Lapsed,
    /// The challenge was not made here for this purpose, app and key, or was made before the clock was set back.
    Unknown,
}

/// Purpose of a challenge. A challenge that was made for another purpose is as good as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChallengePurpose {
    /// Fresh evidence about an enrolled device.
    Attestation,
    /// Enrolment of a device.
    Enrolment,
    /// Sign-in with a passkey.
    Login,
    /// Registration of a passkey.
    Registration,
}

impl ChallengePurpose {
    /// Byte that stands for the purpose in what is authenticated.
    const fn label(self) -> u8 {
        match self {
            Self::Attestation => 1,
            Self::Enrolment => 2,
            Self::Login => 3,
            Self::Registration => 4,
        }
    }
}

/// Where a challenge is made: what it is for, and the room in which it will be remembered.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Purpose of the challenge.
    pub purpose: ChallengePurpose,
    /// Room of the memory, below [`ROOMS`].
    pub room: u8,
    /// Number that changes when the clock is set back, so that no challenge lives twice.
    pub era: u32,
}

/// Party that may answer a challenge.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// App that asks for the challenge.
    pub client: &'a ClientId,
    /// Key that will answer; `None` where the asker does not know it yet, as on Android, where the key is made for the challenge.
    pub key: Option<&'a Thumbprint>,
}

/// Keys that make and recognise challenges.
pub struct ChallengeKeys {
    tags: hmac::Key,
    seals: hmac::Key,
    rooms: hmac::Key,
}

/// A challenge that was made here, for this use, and that is in its time. It may have been spent: only the memory, which consumes this
/// value, can tell.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct OpenChallenge {
    purpose: ChallengePurpose,
    id: [u8; 16],
    room: u8,
    era: u32,
    issued_at: UnixSeconds,
}

impl OpenChallenge {
    /// Purpose of the challenge.
    #[must_use]
    pub const fn purpose(&self) -> ChallengePurpose {
        self.purpose
    }

    /// Name by which it is remembered.
    #[must_use]
    pub const fn id(&self) -> &[u8; 16] {
        &self.id
    }

    /// Room in which it is remembered.
    #[must_use]
    pub const fn room(&self) -> u8 {
        self.room
    }

    /// Era of the clock in which it was made.
    #[must_use]
    pub const fn era(&self) -> u32 {
        self.era
    }

    /// Second in which it was made.
    #[must_use]
    pub const fn issued_at(&self) -> UnixSeconds {
        self.issued_at
    }

    /// Last second in which it must be remembered: a little later than it counts, since clocks move a little.
    #[must_use]
    pub const fn remember_until(&self) -> UnixSeconds {
        self.issued_at.plus(Limits::CHALLENGE_LIFE).plus(Limits::PROOF_SKEW_MAX)
    }
}

/// Purpose and era that a challenge must have been made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Purpose for which it is shown.
    pub purpose: ChallengePurpose,
    /// Present era of the clock.
    pub era: u32,
}

impl ChallengeKeys {
    /// Derives the keys from 32 unpredictable bytes.
    #[must_use]
    pub fn new(secret: &Secret<[u8; 32]>) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let derived = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, label).as_ref());
        Self { tags: derived(b"countersign challenge 1"), seals: derived(b"countersign ceremony 1"), rooms: derived(b"countersign room 1") }
    }

    /// Room of whoever `of` names: a key, a device or a network. Nobody outside can aim at another's.
    #[must_use]
    pub fn room(&self, of: &[u8]) -> u8 {
        hmac::sign(&self.rooms, of).as_ref().first().map_or(0, |byte| byte % ROOMS)
    }

    /// Makes a challenge for `asker`, out of ten unpredictable bytes.
    #[must_use]
    pub fn make(&self, place: &Place, asker: &Asker<'_>, random: [u8; 10], now: UnixSeconds) -> [u8; CHALLENGE_BYTES] {
        let mut challenge = [0; CHALLENGE_BYTES];
        let flags = (place.room % ROOMS) | if asker.key.is_some() { BOUND } else { 0 };
        let head = seconds(now).into_iter().chain([flags]).chain(random);
        challenge.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        let tag = self.tag(place.purpose, place.era, asker, challenge.get(..HEAD_BYTES).unwrap_or_default());
        challenge.iter_mut().skip(HEAD_BYTES).zip(tag).for_each(|(to, from)| *to = from);
        challenge
    }

    /// Recognises a challenge that was made for `purpose` and this asker. One that was made for no key is anybody's.
    ///
    /// # Errors
    /// `Unknown` when it was not made here for this; `Lapsed` when its time is over.
    pub fn check(
        &self,
        challenge: &[u8; CHALLENGE_BYTES],
        expected: Expected,
        asker: &Asker<'_>,
        now: UnixSeconds,
    ) -> Result<OpenChallenge, ChallengeRefusal> {
        let Expected { purpose, era } = expected;
        let (head, given) = challenge.split_first_chunk::<HEAD_BYTES>().ok_or(ChallengeRefusal::Unknown)?;
        let [a, b, c, d, e, flags, ..] = *head;
        let asker = Asker { key: asker.key.filter(|_| flags & BOUND != 0), ..*asker };
        if (flags & BOUND != 0 && asker.key.is_none()) || !bool::from(self.tag(purpose, era, &asker, head).ct_eq(given)) {
            return Err(ChallengeRefusal::Unknown);
        }
        let id = <[u8; 16]>::try_from(given).map_err(|_| ChallengeRefusal::Unknown)?;
        in_time(OpenChallenge { purpose, id, room: flags & !BOUND, era, issued_at: moment([a, b, c, d, e]) }, now)
    }

    fn tag(&self, purpose: ChallengePurpose, era: u32, asker: &Asker<'_>, head: &[u8]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.tags);
        // Every part has a fixed length or its length before it, so two different uses never give the same bytes.
        for part in [head, &era.to_be_bytes(), &[purpose.label()], &length(asker.client.as_str().as_bytes())] {
            context.update(part);
        }
        context.update(asker.client.as_str().as_bytes());
        context.update(asker.key.map_or(&[][..], |key| key.as_bytes()));
        let mut out = [0; 16];
        out.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        out
    }

    /// Seals the state of a ceremony, under sixteen unpredictable bytes that name it.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn seal(&self, place: &Place, id: [u8; 16], content: &[u8], now: UnixSeconds) -> Result<String, CryptoFailure> {
        let head: Vec<u8> = seconds(now).into_iter().chain([place.room % ROOMS]).chain(id).collect();
        let mut sealed = content.to_vec();
        let aad = Aad::from(bound_to(&head, place.purpose, place.era));
        self.seal_key(&id)?.seal_in_place_append_tag(once(), aad, &mut sealed).map_err(|_| CryptoFailure)?;
        let mut text = base64url::encode(&head);
        // 22 bytes leave four bits over; the two parts are written apart so that each is canonical.
        text.push('.');
        base64url::encode_onto(&sealed, &mut text);
        Ok(text)
    }

    /// Opens a ceremony that was sealed for `purpose`.
    ///
    /// # Errors
    /// `Unknown` when it was not sealed here for this; `Lapsed` when its time is over.
    pub fn open(
        &self,
        text: &str,
        purpose: ChallengePurpose,
        era: u32,
        now: UnixSeconds,
    ) -> Result<(OpenChallenge, Vec<u8>), ChallengeRefusal> {
        if text.len() > Limits::CEREMONY_BYTES_MAX {
            return Err(ChallengeRefusal::Unknown);
        }
        let (head, sealed) = text.split_once('.').ok_or(ChallengeRefusal::Unknown)?;
        let head: [u8; SEALED_HEAD_BYTES] = base64url::decode_array(head).map_err(|_| ChallengeRefusal::Unknown)?;
        let mut sealed = base64url::decode(sealed).map_err(|_| ChallengeRefusal::Unknown)?;
        let [a, b, c, d, e, room, id @ ..] = head;
        let key = self.seal_key(&id).map_err(|_| ChallengeRefusal::Unknown)?;
        let aad = Aad::from(bound_to(&head, purpose, era));
        let content = key.open_in_place(once(), aad, &mut sealed).map_err(|_| ChallengeRefusal::Unknown)?.to_vec();
        let open = in_time(OpenChallenge { purpose, id, room, era, issued_at: moment([a, b, c, d, e]) }, now)?;
        Ok((open, content))
    }

    /// Key of one ceremony. Each has a key of its own, so that no number of them wears out a key of AES-GCM (NIST SP 800-38D section 8.3).
    fn seal_key(&self, id: &[u8; 16]) -> Result<LessSafeKey, CryptoFailure> {
        let key = UnboundKey::new(&AES_256_GCM, hmac::sign(&self.seals, id).as_ref()).map_err(|_| CryptoFailure)?;
        Ok(LessSafeKey::new(key))
    }
}

/// The one nonce of a key that seals one ceremony.
fn once() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// Bytes that a seal is bound to besides its content.
fn bound_to(head: &[u8], purpose: ChallengePurpose, era: u32) -> Vec<u8> {
    [head, &era.to_be_bytes(), &[purpose.label()]].concat()
}

fn length(part: &[u8]) -> [u8; 8] {
    u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()
}

/// The low five bytes of a second, which last until the year 36812.
fn seconds(at: UnixSeconds) -> [u8; 5] {
    let [_, _, _, low @ ..] = at.0.to_be_bytes();
    low
}

fn moment(low: [u8; 5]) -> UnixSeconds {
    let [a, b, c, d, e] = low;
    UnixSeconds(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
}

fn in_time(challenge: OpenChallenge, now: UnixSeconds) -> Result<OpenChallenge, ChallengeRefusal> {
    let first = challenge.issued_at.minus(Limits::PROOF_SKEW_MAX);
    let last = challenge.issued_at.plus(Limits::CHALLENGE_LIFE);
    if (first..=last).contains(&now) { Ok(challenge) } else { Err(ChallengeRefusal::Lapsed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::Seconds;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const KEY: Thumbprint = Thumbprint::from_bytes([1; 32]);
    const OTHER: Thumbprint = Thumbprint::from_bytes([2; 32]);
    const PLACE: Place = Place { purpose: ChallengePurpose::Enrolment, room: 5, era: 1 };

    fn keys() -> ChallengeKeys {
        ChallengeKeys::new(&Secret::new([1; 32]))
    }

    #[test]
    fn a_challenge_counts_for_what_it_was_made_for() {
        let (app, another) = (ClientId::parse("org.example.app").expect("an id"), ClientId::parse("org.example.ap").expect("an id"));
        let asker = |client, key| Asker { client, key };
        let free = keys().make(&PLACE, &asker(&app, None), [7; 10], NOW);
        let bound = keys().make(&PLACE, &asker(&app, Some(&KEY)), [7; 10], NOW);
        let foreign = ChallengeKeys::new(&Secret::new([2; 32])).make(&PLACE, &asker(&app, None), [7; 10], NOW);
        let (unknown, lapsed) = (Err(ChallengeRefusal::Unknown), Err(ChallengeRefusal::Lapsed));
        type Row<'a> = (&'a str, &'a [u8; 32], ChallengePurpose, Asker<'a>, u32, i64, Result<(), ChallengeRefusal>);
        let rows: &[Row<'_>] = &[
            ("as it was made", &free, ChallengePurpose::Enrolment, asker(&app, None), 1, 0, Ok(())),
            ("made for no key, answered by one", &free, ChallengePurpose::Enrolment, asker(&app, Some(&KEY)), 1, 0, Ok(())),
            ("for a key, answered by it", &bound, ChallengePurpose::Enrolment, asker(&app, Some(&KEY)), 1, 0, Ok(())),
            ("for a key, answered by another", &bound, ChallengePurpose::Enrolment, asker(&app, Some(&OTHER)), 1, 0, unknown),
            ("for a key, answered by none", &bound, ChallengePurpose::Enrolment, asker(&app, None), 1, 0, unknown),
            ("another purpose", &free, ChallengePurpose::Attestation, asker(&app, None), 1, 0, unknown),
            ("another app", &free, ChallengePurpose::Enrolment, asker(&another, None), 1, 0, unknown),
            ("before the clock was set back", &free, ChallengePurpose::Enrolment, asker(&app, None), 2, 0, unknown),
            ("by another process", &foreign, ChallengePurpose::Enrolment, asker(&app, None), 1, 0, unknown),
            ("in its last second", &free, ChallengePurpose::Enrolment, asker(&app, None), 1, 300, Ok(())),
            ("one second late", &free, ChallengePurpose::Enrolment, asker(&app, None), 1, 301, lapsed),
            ("as early as clocks differ", &free, ChallengePurpose::Enrolment, asker(&app, None), 1, -5, Ok(())),
            ("earlier than that", &free, ChallengePurpose::Enrolment, asker(&app, None), 1, -6, lapsed),
        ];
        for (name, challenge, purpose, asker, era, seconds, expected) in rows {
            let now = UnixSeconds(NOW.0.saturating_add_signed(*seconds));
            let open = keys().check(challenge, Expected { purpose: *purpose, era: *era }, asker, now);
            assert_eq!(open.as_ref().map(|_| ()).map_err(|why| *why), *expected, "{name}");
            if let Ok(open) = open {
                assert_eq!((open.room(), open.issued_at(), open.purpose()), (5, NOW, ChallengePurpose::Enrolment), "{name}");
                assert_eq!(open.remember_until(), NOW.plus(Seconds(305)), "{name}");
            }
        }
    }

    #[test]
    fn no_bit_of_a_challenge_can_be_changed() {
        let app = ClientId::parse("org.example.app").expect("an id");
        let asker = Asker { client: &app, key: Some(&KEY) };
        let good = keys().make(&PLACE, &asker, [7; 10], NOW);
        for bit in 0..256_usize {
            let mut forged = good;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(keys().check(&forged, Expected { purpose: ChallengePurpose::Enrolment, era: 1 }, &asker, NOW).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_ceremony_comes_back_as_it_was_sealed() {
        let place = Place { purpose: ChallengePurpose::Login, room: 3, era: 1 };
        let sealed = keys().seal(&place, [7; 16], b"content", NOW).expect("a ceremony");
        let (open, content) = keys().open(&sealed, ChallengePurpose::Login, 1, NOW).expect("ours");
        assert_eq!((content.as_slice(), open.id(), open.room(), open.issued_at()), (&b"content"[..], &[7; 16], 3, NOW));
        let rows: &[(&str, ChallengePurpose, u32, u64, ChallengeRefusal)] = &[
            ("another purpose", ChallengePurpose::Registration, 1, 0, ChallengeRefusal::Unknown),
            ("before the clock was set back", ChallengePurpose::Login, 2, 0, ChallengeRefusal::Unknown),
            ("one second late", ChallengePurpose::Login, 1, 301, ChallengeRefusal::Lapsed),
        ];
        for (name, purpose, era, seconds, expected) in rows {
            let opened = keys().open(&sealed, *purpose, *era, NOW.plus(Seconds(*seconds)));
            assert_eq!(opened.map(|_| ()), Err(*expected), "{name}");
        }
        for text in ["", ".", "AA", "AA.AA", sealed.replace('.', "").as_str(), &format!("{sealed}A"), &format!("{sealed}.")] {
            assert_eq!(keys().open(text, ChallengePurpose::Login, 1, NOW).map(|_| ()), Err(ChallengeRefusal::Unknown), "{text}");
        }
        let other = ChallengeKeys::new(&Secret::new([2; 32]));
        assert_eq!(other.open(&sealed, ChallengePurpose::Login, 1, NOW).map(|_| ()), Err(ChallengeRefusal::Unknown), "another process");
    }

    #[test]
    fn the_ends_of_time_do_not_wrap() {
        let app = ClientId::parse("a").expect("an id");
        let asker = Asker { client: &app, key: None };
        for now in [UnixSeconds(0), UnixSeconds(u64::MAX)] {
            let challenge = keys().make(&PLACE, &asker, [0; 10], now);
            let _ = keys().check(&challenge, Expected { purpose: ChallengePurpose::Enrolment, era: 1 }, &asker, now);
        }
    }
}
