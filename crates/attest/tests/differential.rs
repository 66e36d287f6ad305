//! Our verifier beside a second implementation of Google's published rules, and no recombination of genuine certificates that earns more
//! than the genuine chain.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout, reason = "what fails in a helper fails the test")]

mod ca;
mod google;

use std::{collections::BTreeMap, fs, path::Path};

use ca::{Blueprint, Made, append, extension, honest, make};
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::{AttestRefusal, RawChain, Requirements, StatusRule, Trust, chain_from_der_list, encode, verify},
    x509::SignatureRefusal,
};
use countersign_core::UnixSeconds;
use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

/// Numbers that look random and are the same on every run (Steele, Lea and Flood 2014, SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides.max(1)).expect("small")).expect("small")
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.roll(all.len())]
    }
}

type Ders = Vec<Vec<u8>>;

/// Chains to start from, and the roots that both verifiers trust.
struct Pool {
    chains: Vec<Ders>,
    /// Further certificates, which belong to no chain.
    others: Ders,
    roots: Ders,
    trust: Trust,
}

impl Pool {
    fn of(chains: Vec<Ders>, others: Ders, roots: Ders) -> Self {
        let source = Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware };
        let parsed = roots.iter().map(|root| Anchors::parse(source, &ca::pem(std::slice::from_ref(root))).expect("a root"));
        let anchors = parsed.fold(Anchors::none(), Anchors::and);
        Self { chains, others, roots, trust: Trust { anchors, status: StatusRule::NotAsked } }
    }

    fn google(&self, ders: &Ders, now: u64) -> Result<(), String> {
        google::judge(ders, &self.roots, now)
    }

    /// Our verdict on the chain alone: what is refused for the challenge or the phone's statements was a good chain.
    fn ours(&self, ders: &Ders, now: u64) -> Result<(), AttestRefusal> {
        let chain = chain_from_der_list(ders.clone())?;
        match verify(&chain, &self.trust, &Requirements::observe(), ca::CHALLENGE, UnixSeconds(now)).map(drop) {
            Err(AttestRefusal::ChallengeMismatch | AttestRefusal::DescriptionMalformed(_)) => Ok(()),
            verdict => verdict,
        }
    }

    /// One chain, mutated or recombined with others.
    fn mix(&self, dice: &mut Dice) -> Ders {
        let mut ders = dice.one_of(&self.chains).clone();
        for _ in 0..dice.roll(3) {
            self.change(&mut ders, dice);
        }
        ders
    }

    fn change(&self, ders: &mut Ders, dice: &mut Dice) {
        let other = dice.one_of(&self.chains).clone();
        let (at, to) = (dice.roll(ders.len()), dice.roll(ders.len() + 1));
        let any = if dice.roll(3) == 0 { dice.one_of(&self.others).clone() } else { dice.one_of(&other).clone() };
        match dice.roll(14) {
            0 | 1 => {}
            2 if ders.len() > 1 => drop(ders.remove(at)),
            3 => ders.insert(to, ders[at].clone()),
            4 => ders.insert(to, any),
            5 => ders.push(any),
            6 => ders.swap(at, to.saturating_sub(1)),
            7 => ders[at] = other[at.min(other.len() - 1)].clone(),
            8 => ders.extend(other.iter().cloned()),
            9 => *ders.last_mut().expect("a root") = dice.one_of(&self.others).clone(),
            10 => *ders.last_mut().expect("a root") = other.last().expect("a root").clone(),
            11 => *ders = ders[..at].iter().chain(&other[at.min(other.len())..]).cloned().collect(),
            12 => ders[at].push(0),
            _ => {
                let byte = dice.roll(ders[at].len());
                ders[at][byte] ^= 1 << dice.roll(8);
            }
        }
        if ders.is_empty() {
            ders.push(other[0].clone());
        }
    }
}

type Change = fn(&mut Blueprint);

const CHANGES: &[(Made, Change)] = &[
    (Made::Factory, |_| {}),
    (Made::Remote, |_| {}),
    (Made::Software, |_| {}),
    (Made::Factory, |b| (b.attesting_ca, b.attesting_usages) = (IsCa::ExplicitNoCa, vec![KeyUsagePurpose::DigitalSignature])),
    (Made::Remote, |b| b.attesting_ca = IsCa::ExplicitNoCa),
    (Made::Factory, |b| b.intermediate_ca = IsCa::NoCa),
    (Made::Factory, |b| b.intermediate_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
    (Made::Factory, |b| b.intermediate_algorithm = &PKCS_ED25519),
    (Made::Remote, |b| b.intermediate_algorithm = &PKCS_ECDSA_P384_SHA384),
    (Made::Factory, |b| b.attesting_born = (2025, 9, 1)),
    (Made::Remote, |b| b.attesting_born = (2025, 9, 1)),
    (Made::Factory, |b| b.intermediate_extensions = vec![extension(&[2, 5, 29, 30], &[0x30, 0], true)]),
    (Made::Factory, |b| b.attesting_extensions = vec![extension(ca::ATTESTATION, &content(), false)]),
    (Made::Factory, |b| b.leaf_born = (1969, 12, 31)),
];

fn content() -> Vec<u8> {
    encode(&ca::description(Made::Factory)).expect("a description")
}

const SHAPES: &[&[&str]] = &[
    &["ROOT", "SN", "leaf"],
    &["ROOT", "SN", "more", "phone", "leaf"],
    &["SN", "SN", "phone", "leaf"],
    &["ROOT", "Droid CA2/Google LLC", "phone+info", "leaf"],
    &["ROOT", "Droid CA2/Google LLC", "server", "phone", "leaf"],
    &["ROOT", "Droid CA2/Google", "server", "phone", "leaf"],
    &["ROOT", "SN/Droid CA2/Google LLC", "server", "phone", "leaf"],
    &["ROOT", "SN/Droid CA2/Google LLC", "phone", "leaf"],
    &["ROOT", "SN", "phone+info", "leaf"],
    &["ROOT", "software", "leaf"],
];

/// Chains made here, with all that an attacker can take from public ones.
fn made() -> Pool {
    let (mut chains, mut others, mut roots) = (Vec::new(), Vec::new(), Vec::new());
    let root = |ders: &Ders| ders.last().expect("a root").clone();
    for (made, change) in CHANGES {
        let mut blueprint = honest(*made);
        change(&mut blueprint);
        let phone = make(&blueprint);
        roots.push(root(&phone.ders));
        others.extend(ca::roots_again(&phone));
        chains.extend([append(&phone, Some(content())), append(&phone, None), phone.ders]);
    }
    for shape in SHAPES {
        let path = ca::path(shape);
        roots.push(root(&path.ders));
        chains.push(path.ders);
    }
    // One intermediate is trusted by itself as well.
    roots.push(chains.last().expect("a chain")[1].clone());
    Pool::of(chains, others, roots)
}

/// Genuine chains of genuine phones and Google's roots; `None` without the shared vectors.
fn genuine() -> Option<Pool> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"));
    if !folder.is_dir() {
        println!("skipped: shared/ is not beside the checkout");
        return None;
    }
    let ders = |path: &Path| RawChain::from_pem(&fs::read_to_string(path).expect("a file")).expect("certificates").ders().to_vec();
    let mut files: Vec<_> = fs::read_dir(folder.join("android/chains")).expect("chains").map(|file| file.expect("a file").path()).collect();
    files.sort();
    // The others are the same chains with something broken.
    let whole = |path: &&std::path::PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().matches('.').count() == 1);
    let chains: Vec<Ders> = files.iter().filter(whole).map(|path| ders(path)).collect();
    let mut roots = ders(&folder.join("anchors/google.pem"));
    roots.extend(ders(&folder.join("anchors/android_software.pem")));
    let others = chains.iter().filter_map(|chain| chain.last().cloned()).chain(roots.iter().cloned()).collect();
    Some(Pool::of(chains, others, roots))
}

const TIMES: &[u64] = &[
    0,
    ca::BORN - 1,
    ca::BORN,
    ca::NOW,
    ca::EXPIRES,
    ca::EXPIRES + 1,
    1_727_389_885,
    1_758_900_646,
    1_771_979_841,
    1_783_361_716,
    1_795_000_000,
    1_900_000_000,
    2_300_000_000,
];

/// A known difference: Google's verifier takes the chain and ours does not, or the other way round.
struct Difference {
    name: &'static str,
    reason: &'static str,
    /// True for a refusal of ours (`Some`), or an acceptance (`None`), that this difference explains.
    explains: fn(&Ders, Option<&AttestRefusal>) -> bool,
}

fn last(ders: &Ders) -> usize {
    ders.len() - 1
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "the last certificate's own key",
        reason: "they look for an anchor by the name of the last issuer and never at the certificate sent for it; ours must hold an anchor's key",
        explains: |ders, refusal| {
            let below_last = |index: usize| index + 1 == last(ders);
            match refusal {
                Some(AttestRefusal::AnchorUnknown { .. }) => true,
                Some(AttestRefusal::IssuerMismatch { index } | AttestRefusal::SignatureInvalid { index, .. }) => below_last(*index),
                Some(_) | None => false,
            }
        },
    },
    Difference {
        name: "the last certificate's own signature and form",
        reason: "they check neither; ours is checked like every other, so that no byte of what was sent is unread",
        explains: |ders, refusal| match refusal {
            Some(AttestRefusal::SignatureInvalid { index, .. } | AttestRefusal::CertificateMalformed { index, .. }) => *index == last(ders),
            Some(_) | None => false,
        },
    },
    Difference {
        name: "authorities",
        reason: "they read no constraints and no key usage at all; ours excuses the certificate above a factory's key alone",
        explains: |_, refusal| matches!(refusal, Some(AttestRefusal::IssuerNotAllowed { .. } | AttestRefusal::PathTooLong { .. })),
    },
    Difference {
        name: "critical extensions",
        reason: "they leave those that nobody understands alone; RFC 5280 section 4.2 refuses them",
        explains: |_, refusal| matches!(refusal, Some(AttestRefusal::CriticalExtensionUnknown { .. })),
    },
    Difference {
        name: "algorithms",
        reason: "theirs are those of the platform, with Ed25519, SHA-1 and short RSA keys; no phone's chain is signed so",
        explains: |_, refusal| matches!(refusal, Some(AttestRefusal::SignatureInvalid { why: SignatureRefusal::AlgorithmRefused, .. })),
    },
    Difference {
        name: "bytes around a certificate",
        reason: "theirs are read from a stream, which may go on, and by a parser that knows more than DER",
        explains: |_, refusal| matches!(refusal, Some(AttestRefusal::CertificateMalformed { .. })),
    },
    Difference {
        name: "a certificate twice",
        reason: "with them a root that is sent twice stands for the missing intermediate of a factory, so that nothing expires; ours takes no \
                 certificate twice",
        explains: |_, refusal| matches!(refusal, Some(AttestRefusal::CertificateRepeated { .. })),
    },
    Difference {
        name: "an anchor inside of the chain",
        reason: "they end at the last certificate, whatever stands before it; ours ends at the first anchor, or the sender chooses the end",
        explains: |_, refusal| matches!(refusal, Some(AttestRefusal::AnchorInside { .. })),
    },
    Difference {
        name: "marks of both ways of provisioning",
        reason: "for them the factory's mark wins, and nothing expires; ours takes the stricter reading. Nothing of Google's has both",
        explains: |_, refusal| matches!(refusal, Some(AttestRefusal::LengthWrong { .. } | AttestRefusal::CertificateExpired { .. })),
    },
    Difference {
        name: "marks of both ways of provisioning, as long as remote",
        reason: "the other half of the same: theirs is a factory chain that is too long, ours a remote one, which expires",
        explains: |ders, refusal| refusal.is_none() && ders.len() == 5,
    },
];

/// Ten thousand chains: the verdicts are the same, or the difference is known. Each known difference occurs, so that the table stays true.
#[test]
fn google_and_we_agree_or_the_difference_is_known() {
    let pools: Vec<Pool> = [Some(made()), genuine()].into_iter().flatten().collect();
    let (seed, mut met, mut unknown, mut accepted) = (20_261_201, BTreeMap::new(), Vec::new(), [0_u32; 2]);
    let mut dice = Dice(seed);
    for number in 0..10_000 {
        let pool = &pools[usize::from(number % 4 == 3).min(pools.len() - 1)];
        let (ders, now) = (pool.mix(&mut dice), if dice.roll(2) == 0 { ca::NOW } else { *dice.one_of(TIMES) });
        let (ours, theirs) = (pool.ours(&ders, now), pool.google(&ders, now));
        accepted[0] += u32::from(ours.is_ok());
        accepted[1] += u32::from(theirs.is_ok());
        if ours.is_ok() == theirs.is_ok() {
            continue;
        }
        let known = DIFFERENCES.iter().find(|difference| (difference.explains)(&ders, ours.as_ref().err()));
        match known {
            Some(known) => *met.entry(known.name).or_insert(0) += 1,
            None => unknown.push(format!("chain {number} at {now}: ours {ours:?}, Google's {theirs:?}\n{}", ca::pem(&ders))),
        }
    }
    println!("of 10000, ours accepts {} and Google's {}; differences: {met:#?}", accepted[0], accepted[1]);
    assert!(unknown.is_empty(), "seed {seed}, {} differences that are not known:\n{}", unknown.len(), unknown.join("\n"));
    assert!(accepted.iter().all(|count| *count > 500), "too few chains hold: {accepted:?}");
    for difference in DIFFERENCES {
        assert!(met.contains_key(difference.name), "`{}` occurs no longer ({})", difference.name, difference.reason);
    }
}

/// What one verifier reads and the other does not, beyond what mixing certificates brings up.
#[test]
fn attestations_that_are_critical_are_read_by_us_alone() {
    let critical = |change: Change| {
        let mut blueprint = honest(Made::Factory);
        change(&mut blueprint);
        let phone = make(&blueprint);
        let root = phone.ders.last().expect("a root").clone();
        (Pool::of(vec![], vec![], vec![root]), phone.ders)
    };
    let (pool, ders) = critical(|b| b.attesting_extensions = vec![extension(ca::ATTESTATION, &content(), true)]);
    assert_eq!(pool.google(&ders, ca::NOW), Ok(()), "they do not see it");
    assert_eq!(pool.ours(&ders, ca::NOW), Err(AttestRefusal::ChainExtended { attested: 1 }));
}

/// No recombination of genuine certificates is accepted at a time at which the untouched chain is refused (issue 11, Done when 3).
#[test]
fn no_recombination_earns_more_than_the_chain() {
    for pool in [Some(made()), genuine()].into_iter().flatten() {
        let mut dice = Dice(11);
        let whole: Vec<_> = pool.chains.iter().filter(|ders| TIMES.iter().any(|now| pool.ours(ders, *now).is_ok())).cloned().collect();
        assert!(whole.len() > 5, "only {} chains hold at any time", whole.len());
        let all: Ders = pool.chains.iter().flatten().chain(&pool.others).cloned().collect();
        let recombined = recombined(&whole, &pool, &all, &mut dice);
        let mut accepted = 0;
        for ders in &recombined {
            for now in TIMES {
                match pool.ours(ders, *now) {
                    Ok(()) => accepted += 1,
                    Err(AttestRefusal::CertificateExpired { .. } | AttestRefusal::CertificateNotYetValid { .. }) => continue,
                    // No other rule asks for the time.
                    Err(_) => break,
                }
                let genuine = whole.iter().find(|chain| chain[0] == ders[0]).expect("a chain with this key");
                assert_eq!(pool.ours(genuine, *now), Ok(()), "at {now} the untouched chain is refused, but not\n{}", ca::pem(ders));
            }
        }
        println!("{} recombinations at {} times: {accepted} accepted, each as the untouched chain is", recombined.len(), TIMES.len());
    }
}

/// For every chain: each certificate left out, doubled, moved; each other root appended and in the root's place; other chains' ends appended
/// and put on; and certificates of anybody put anywhere.
fn recombined(whole: &[Ders], pool: &Pool, all: &Ders, dice: &mut Dice) -> Vec<Ders> {
    let mut out = Vec::new();
    for chain in whole {
        for at in 0..chain.len() {
            let mut without = chain.clone();
            let taken = without.remove(at);
            out.push(without.clone());
            for to in 0..=without.len() {
                let mut moved = without.clone();
                moved.insert(to, taken.clone());
                out.push(moved);
            }
        }
        for root in pool.roots.iter().chain(&pool.others) {
            out.push([chain.as_slice(), std::slice::from_ref(root)].concat());
            out.push([&chain[..chain.len() - 1], std::slice::from_ref(root)].concat());
        }
        for _ in 0..40 {
            let other = dice.one_of(whole);
            let (cut, from, at) = (dice.roll(chain.len()) + 1, dice.roll(other.len()), dice.roll(chain.len() + 1));
            out.push([&chain[..cut], &other[from..]].concat());
            out.push([chain.as_slice(), other.as_slice()].concat());
            let mut inserted = chain.clone();
            inserted.insert(at, dice.one_of(all).clone());
            out.push(inserted);
        }
    }
    out
}
