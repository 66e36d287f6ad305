//! Whose failure counts against whom, and whose enrolment is counted where: one table of rules.
//!
//! - A passkey cannot be guessed, so that its failures refuse nobody. They are told to the monitor: against the account only when the
//!   credential is one of that account's, else against whoever gave it.
//! - What can be guessed (codes, passwords) is counted by device, account and site. A device that is bound to the account is refused for
//!   its own guesses alone, so that nobody locks a person out.
//! - Enrolments are counted where they come from: the certificate of the one phone, or of the batch at one site, and the site.

use countersign_core::{RateLimit, Seconds, Site};

use crate::shares::Taking;

/// Owner of the credential with which a login failed. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialOwner {
    /// Somebody else than the person who was named.
    Another,
    /// Nobody: the credential is not known here.
    Nobody,
    /// The person who was named, or the credential's own person when nobody was.
    Themselves,
}

/// Party against which a failed passkey counts. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blamed {
    /// The account, and whoever tried.
    Account,
    /// Whoever tried, and not the account that they named.
    Visitor,
}

/// Party against which a failed passkey counts.
#[must_use]
pub const fn blamed(owner: CredentialOwner) -> Blamed {
    match owner {
        CredentialOwner::Themselves => Blamed::Account,
        // SECURITY: otherwise whoever knows a name locks its person out, or spoils the person's score, with any passkey of their own.
        CredentialOwner::Another | CredentialOwner::Nobody => Blamed::Visitor,
    }
}

/// Relation of a device to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The account's person signed in on the device before, and did not cut it off.
    Bound,
    /// Device that is not bound to the account.
    Stranger,
}

/// Party whose guesses are counted: keyed hashes, or bytes that stand for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guesser {
    /// The account that is guessed at.
    Account([u8; 32]),
    /// The device that guesses.
    Device([u8; 32]),
    /// The site that the guess comes from.
    Site(Site),
}

/// Guess at something that can be guessed: a code or a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// Account that is guessed at.
    pub account: [u8; 32],
    /// Device that the guess comes from.
    pub device: [u8; 32],
    /// Relation of the device to the account.
    pub standing: Standing,
    /// Site that the guess comes from.
    pub site: Site,
}

/// Wrong codes of one device that are ordinary, since people mistype.
const GUESSES_OF_A_DEVICE: RateLimit = RateLimit { count: 5, window: Seconds(300) };
/// Wrong codes for one account, from whatever devices.
const GUESSES_AT_AN_ACCOUNT: RateLimit = RateLimit { count: 10, window: Seconds(600) };
/// Wrong codes from one site.
const GUESSES_FROM_A_SITE: RateLimit = RateLimit { count: 60, window: Seconds(600) };

/// Shares that a guess takes from. All of them need room; what was right is given back.
#[must_use]
pub fn guessed(guess: &Guess) -> Vec<Taking<Guesser>> {
    let device = Taking { of: Guesser::Device(guess.device), limit: GUESSES_OF_A_DEVICE };
    match guess.standing {
        Standing::Bound => vec![device],
        Standing::Stranger => vec![
            device,
            Taking { of: Guesser::Account(guess.account), limit: GUESSES_AT_AN_ACCOUNT },
            Taking { of: Guesser::Site(guess.site), limit: GUESSES_FROM_A_SITE },
        ],
    }
}

/// Certificate that vouched for a key which enrols: its digest, and how many phones have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// Every phone of a batch has it (Android, from the factory: at least 100,000 phones share one attestation key).
    Batch([u8; 32]),
    /// Nothing names the phone or its batch (App Attest, development tokens).
    Nothing,
    /// One phone has it (Android, provisioned remotely).
    Phone([u8; 32]),
}

/// Party whose enrolments are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enroller {
    /// Phones of one batch at one site.
    BatchAt([u8; 32], Site),
    /// One phone, by the certificate that it alone has.
    Phone([u8; 32]),
    /// Everybody at one site.
    Site(Site),
    /// Phones at one site of which nothing else is known.
    UnnamedAt(Site),
}

/// Keys of one phone in a day: an app that is installed again, a few times.
const KEYS_OF_A_PHONE: RateLimit = RateLimit { count: 10, window: Seconds(86_400) };
/// Keys of one batch of phones at one site: a family, or an office with phones of one model.
const KEYS_OF_A_BATCH_AT_A_SITE: RateLimit = RateLimit { count: 20, window: Seconds(600) };
/// Keys without a name of their phone at one site.
const KEYS_WITHOUT_A_NAME_AT_A_SITE: RateLimit = RateLimit { count: 60, window: Seconds(600) };
/// Keys at one site, of whatever phones: many thousand people share the address of a mobile carrier.
const KEYS_AT_A_SITE: RateLimit = RateLimit { count: 600, window: Seconds(600) };

/// Shares that an enrolment takes from, once its evidence has verified. All of them need room.
#[must_use]
pub fn enrolled(voucher: Voucher, site: Site) -> [Taking<Enroller>; 2] {
    let own = match voucher {
        Voucher::Batch(digest) => Taking { of: Enroller::BatchAt(digest, site), limit: KEYS_OF_A_BATCH_AT_A_SITE },
        Voucher::Nothing => Taking { of: Enroller::UnnamedAt(site), limit: KEYS_WITHOUT_A_NAME_AT_A_SITE },
        Voucher::Phone(digest) => Taking { of: Enroller::Phone(digest), limit: KEYS_OF_A_PHONE },
    };
    // SECURITY: one phone, or one batch, cannot spend its site's whole share: its own is far smaller.
    [own, Taking { of: Enroller::Site(site), limit: KEYS_AT_A_SITE }]
}

/// Party whose costly checks are counted: certificate chains, passkeys, codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worker {
    /// A device that is enrolled, by its key.
    Device([u8; 32]),
    /// Everybody who is not.
    Everybody,
    /// Whoever is not enrolled, at one site.
    Site(Site),
}

/// Checks for one enrolled device: a ceremony has one or two.
const CHECKS_FOR_A_DEVICE: RateLimit = RateLimit { count: 20, window: Seconds(10) };
/// Checks for one site. A certificate chain takes a third of a millisecond, so that a site has at most a fiftieth of one processor for long.
const CHECKS_FOR_A_SITE: RateLimit = RateLimit { count: 120, window: Seconds(2) };
/// Checks for all who are not enrolled: a third of one processor.
const CHECKS_FOR_EVERYBODY: RateLimit = RateLimit { count: 2_000, window: Seconds(2) };

/// Shares that a costly check takes from. An enrolled device is counted by itself, so that its site's repute never refuses it.
#[must_use]
pub fn checked(device: Option<[u8; 32]>, site: Site) -> Vec<Taking<Worker>> {
    match device {
        Some(key) => vec![Taking { of: Worker::Device(key), limit: CHECKS_FOR_A_DEVICE }],
        None => {
            vec![Taking { of: Worker::Site(site), limit: CHECKS_FOR_A_SITE }, Taking { of: Worker::Everybody, limit: CHECKS_FOR_EVERYBODY }]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shares::Shares;
    use countersign_core::UnixMillis;
    use proptest::prelude::*;

    fn site(number: u8) -> Site {
        Site::of(core::net::IpAddr::from([10, 0, number, 1]))
    }

    #[test]
    fn a_failed_passkey_counts_against_its_own_account_alone() {
        let rows = [
            (CredentialOwner::Themselves, Blamed::Account),
            (CredentialOwner::Another, Blamed::Visitor),
            (CredentialOwner::Nobody, Blamed::Visitor),
        ];
        for (owner, expected) in rows {
            assert_eq!(blamed(owner), expected, "{owner:?}");
        }
    }

    #[test]
    fn guesses_count_where_they_come_from() {
        use Standing::{Bound, Stranger};
        let stranger = Guess { account: [1; 32], device: [9; 32], standing: Stranger, site: site(1) };
        // Who guessed before and how often; who asks now; is there room?
        let rows: &[(&str, Vec<(Guess, u8)>, Guess, bool)] = &[
            ("nobody guessed", vec![], stranger, true),
            ("four typing errors", vec![(stranger, 4)], stranger, true),
            ("one device guessed on", vec![(stranger, 50)], stranger, false),
            ("it guesses at another account", vec![(stranger, 50)], Guess { account: [2; 32], ..stranger }, false),
            ("its site goes on", vec![(stranger, 50)], Guess { account: [2; 32], device: [8; 32], ..stranger }, true),
            ("the account's own device goes on", devices(12, stranger), Guess { device: [7; 32], standing: Bound, ..stranger }, true),
            ("a new device of the account waits", devices(12, stranger), Guess { device: [7; 32], site: site(2), ..stranger }, false),
            ("another account elsewhere goes on", devices(30, stranger), Guess { account: [2; 32], site: site(2), ..stranger }, true),
            (
                "the own device guessed itself",
                vec![(Guess { standing: Bound, ..stranger }, 5)],
                Guess { standing: Bound, ..stranger },
                false,
            ),
        ];
        for (name, before, now, room) in rows {
            let mut shares = Shares::new(1000);
            for (guess, times) in before {
                for _ in 0..*times {
                    let _ = shares.take(&guessed(guess), UnixMillis(1));
                }
            }
            assert_eq!(shares.take(&guessed(now), UnixMillis(1)).is_ok(), *room, "{name}");
        }
    }

    /// One guess each of so many devices.
    fn devices(count: u8, like: Guess) -> Vec<(Guess, u8)> {
        (100..100 + count).map(|number| (Guess { device: [number; 32], ..like }, 1)).collect()
    }

    #[test]
    fn enrolments_are_counted_where_they_come_from() {
        let (handset, batch) = (Voucher::Phone([1; 32]), Voucher::Batch([2; 32]));
        let rows = [
            ("150 keys of one handset", handset, handset, 150, 10, false),
            ("and another handset at its site", handset, Voucher::Phone([3; 32]), 150, 10, true),
            ("150 keys of one batch at one site", batch, batch, 150, 20, false),
            ("and another batch at its site", batch, Voucher::Batch([4; 32]), 150, 20, true),
            ("150 iPhones at one site", Voucher::Nothing, handset, 150, 60, true),
        ];
        for (name, many, then, tried, taken, room) in rows {
            let mut shares = Shares::new(1000);
            // A hundred and fifty in ten seconds.
            let ok = (0..tried).filter(|n| shares.take(&enrolled(many, site(1)), UnixMillis(1_000_000 + n * 66)).is_ok()).count();
            assert_eq!(ok, taken, "{name}");
            assert_eq!(shares.take(&enrolled(then, site(1)), UnixMillis(1_010_000)).is_ok(), room, "{name}");
            assert!(shares.take(&enrolled(Voucher::Batch([2; 32]), site(2)), UnixMillis(1_010_000)).is_ok(), "{name}: another site");
        }
    }

    #[test]
    fn costly_checks_have_shares() {
        // Who asks for checks, 400 in one second; how many are made; who asks then, and is there room?
        let rows = [
            ("a site of strangers", None, 179, None, 1, false),
            ("and an enrolled phone there", None, 179, Some([1; 32]), 1, true),
            ("and strangers elsewhere", None, 179, None, 2, true),
            ("an enrolled phone", Some([1; 32]), 21, Some([1; 32]), 1, false),
            ("and another one", Some([1; 32]), 21, Some([2; 32]), 1, true),
            ("and strangers", Some([1; 32]), 21, None, 1, true),
        ];
        for (name, who, made, then, at, room) in rows {
            let mut shares = Shares::new(1000);
            let ok = (0..400).filter(|n| shares.take(&checked(who, site(1)), UnixMillis(1_000_000 + n * 5 / 2)).is_ok()).count();
            assert_eq!(ok, made, "{name}");
            assert_eq!(shares.take(&checked(then, site(at)), UnixMillis(1_000_998)).is_ok(), room, "{name}");
        }
    }

    proptest! {
        /// Whatever strangers guess, in whatever order, from whatever devices and sites: the account's own device has room.
        #[test]
        fn strangers_never_lock_out_a_bound_device(guesses in proptest::collection::vec((0_u8..4, 0_u8..9, 0_u8..4, 0_u64..3_000), 0..600)) {
            let mut shares = Shares::new(10_000);
            let mut now = 0;
            for (account, device, from, later) in guesses {
                now += later;
                let guess = Guess { account: [account; 32], device: [device; 32], standing: Standing::Stranger, site: site(from) };
                let _ = shares.take(&guessed(&guess), UnixMillis(now));
                let own = Guess { account: [0; 32], device: [77; 32], standing: Standing::Bound, site: site(0) };
                prop_assert!(shares.clone().take(&guessed(&own), UnixMillis(now)).is_ok());
            }
        }

        /// Whatever other handsets and batches enrol at a site, a handset that did not is taken, as long as the site has room.
        #[test]
        fn one_handset_never_spends_its_site(count in 0_u64..5_000, apart in 0_u64..200) {
            let mut shares = Shares::new(10_000);
            for n in 0..count {
                let _ = shares.take(&enrolled(Voucher::Phone([1; 32]), site(1)), UnixMillis(n * apart));
                let _ = shares.take(&enrolled(Voucher::Batch([1; 32]), site(1)), UnixMillis(n * apart));
            }
            prop_assert!(shares.take(&enrolled(Voucher::Phone([2; 32]), site(1)), UnixMillis(count * apart)).is_ok());
        }
    }
}
