//! The personal fields of one entry as a small Merkle tree: one commitment for all, from which any single field can be shown.
//!
//! A leaf is a hash over name, salt and value. Salts come from one seed of the entry by HMAC, so that the seed alone is kept, in the
//! box; whoever is shown a field gets its own salt and the hashes beside it, from which neither the seed nor another salt follows.
//! Nodes are RFC 9162's. The commitment is a hash over the number of fields and the tree's root. Each kind of hash has a domain
//! of its own, so that none can be taken for another.

use aws_lc_rs::hmac;

use crate::{
    hash::{Hash, digest},
    identity::{PersonalField, PersonalName},
    merkle::{inclusion_proof, root, root_above},
    seal_refusal::SealRefusal,
};

/// What leaves are hashed for.
const LEAF: &[u8] = b"countersign-log personal field 2\0";

/// What commitments are hashed for.
const COMMITMENT: &[u8] = b"countersign-log personal fields 2\0";

/// What salts are made for.
const SALT: &[u8] = b"countersign-log salt 2\0";

/// Bytes of a seed and of a salt: as many as cannot be guessed.
pub const SALT_BYTES: usize = 16;

/// Fields of one entry. An operation declares far fewer.
const FIELDS_MAX: usize = 256;

/// What all salts of one entry come from.
pub type Seed = [u8; SALT_BYTES];

/// The salt of one field.
pub type Salt = [u8; SALT_BYTES];

/// The personal fields of an entry, in the order of their names, each once.
pub struct Fields<'a> {
    seed: hmac::Key,
    fields: &'a [PersonalField],
    leaves: Vec<Hash>,
}

impl<'a> Fields<'a> {
    /// Takes fields that stand in the order of their names.
    pub fn new(fields: &'a [PersonalField], seed: &Seed) -> Result<Self, SealRefusal> {
        if fields.windows(2).any(|pair| matches!(pair, [one, next] if one.name >= next.name)) {
            return Err(SealRefusal::NameRepeated);
        }
        if fields.len() > FIELDS_MAX {
            return Err(SealRefusal::TooLong);
        }
        let seed = hmac::Key::new(hmac::HMAC_SHA256, seed);
        let leaves = fields.iter().map(|field| leaf(field, &salt(&seed, &field.name))).collect();
        Ok(Self { seed, fields, leaves })
    }

    /// What the entry says of them in public.
    pub fn commitment(&self) -> Hash {
        commitment(self.fields.len(), &root(&self.leaves))
    }

    /// Each field that `wanted` names, with its salt and its place in the tree.
    pub fn shown(&self, wanted: impl Fn(&PersonalName) -> bool) -> impl Iterator<Item = (PersonalField, Salt, Place)> {
        self.fields.iter().enumerate().filter(move |(_, field)| wanted(&field.name)).filter_map(|(index, field)| {
            let path = inclusion_proof(&self.leaves, index)?;
            Some((field.clone(), salt(&self.seed, &field.name), Place { index, count: self.leaves.len(), path }))
        })
    }
}

/// Where a field stands in the tree of its entry, and the hashes that lead from it to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0.
    pub index: usize,
    /// Fields of the entry.
    pub count: usize,
    /// The hashes beside its way to the root, from below.
    pub path: Vec<Hash>,
}

/// Checks that a field with this salt stands at its place under a commitment.
pub fn holds(field: &PersonalField, salt: &Salt, place: &Place, committed: Hash) -> Result<(), SealRefusal> {
    let number = |count: usize| u64::try_from(count).map_err(|_| SealRefusal::CommitmentMismatch);
    let above = root_above(leaf(field, salt), number(place.index)?, number(place.count)?, &place.path);
    let found = commitment(place.count, &above.map_err(|_| SealRefusal::CommitmentMismatch)?);
    if found == committed { Ok(()) } else { Err(SealRefusal::CommitmentMismatch) }
}

fn leaf(field: &PersonalField, salt: &Salt) -> Hash {
    // A name ends in a zero byte, which none holds, and a salt has 16 bytes: the parts cannot be confused.
    digest(&[LEAF, field.name.as_str().as_bytes(), &[0], salt, field.value.as_bytes()])
}

fn salt(seed: &hmac::Key, name: &PersonalName) -> Salt {
    let mut context = hmac::Context::with_key(seed);
    context.update(SALT);
    context.update(name.as_str().as_bytes());
    let tag = context.sign();
    *tag.as_ref().first_chunk().unwrap_or(&[0; SALT_BYTES])
}

fn commitment(count: usize, root: &Hash) -> Hash {
    digest(&[COMMITMENT, &u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes(), &root.0])
}

/// What the box holds: the seed, then each field as the code of its name, for a body field its name, and its value, each text after
/// its length. Short, because what is encrypted cannot be compressed any more.
pub fn pack(fields: &[PersonalField], seed: &Seed) -> Result<Vec<u8>, SealRefusal> {
    let mut out = seed.to_vec();
    for PersonalField { name, value } in fields {
        out.push(code(name));
        if let PersonalName::Text(name) = name {
            out.push(u8::try_from(name.len()).map_err(|_| SealRefusal::TooLong)?);
            out.extend(name.as_bytes());
        }
        out.extend(u16::try_from(value.len()).map_err(|_| SealRefusal::TooLong)?.to_be_bytes());
        out.extend(value.as_bytes());
    }
    Ok(out)
}

/// Reads what [`pack`] wrote.
pub fn unpack(bytes: &[u8]) -> Result<(Seed, Vec<PersonalField>), SealRefusal> {
    read_all(bytes).ok_or(SealRefusal::Malformed)
}

fn read_all(bytes: &[u8]) -> Option<(Seed, Vec<PersonalField>)> {
    let (seed, mut rest) = bytes.split_first_chunk()?;
    let mut fields = Vec::new();
    while let Some((code, after)) = rest.split_first() {
        let (name, after) = match code {
            &TEXT_CODE => {
                let (length, after) = after.split_first()?;
                let (name, after) = text(after, usize::from(*length))?;
                (PersonalName::parse(name).filter(|name| matches!(name, PersonalName::Text(_)))?, after)
            }
            code => (CODES.iter().find(|(_, known)| known == code).map(|(name, _)| name.clone())?, after),
        };
        let (length, after) = after.split_first_chunk()?;
        let (value, after) = text(after, usize::from(u16::from_be_bytes(*length)))?;
        fields.push(PersonalField { name, value: value.to_owned() });
        rest = after;
    }
    Some((*seed, fields))
}

fn text(bytes: &[u8], length: usize) -> Option<(&str, &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// Codes of names in a box; never given to another name.
const CODES: [(PersonalName, u8); 11] = [
    (PersonalName::Address, 1),
    (PersonalName::Device, 2),
    (PersonalName::Owner, 3),
    (PersonalName::Path, 4),
    (PersonalName::Resource, 5),
    (PersonalName::Roles, 6),
    (PersonalName::Session, 7),
    (PersonalName::Subject, 8),
    (PersonalName::Times, 9),
    (PersonalName::User, 10),
    (PersonalName::Usual, 11),
];

/// The code of every body field, whose name follows.
const TEXT_CODE: u8 = 12;

fn code(name: &PersonalName) -> u8 {
    CODES.iter().find(|(known, _)| known == name).map_or(TEXT_CODE, |(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(name: PersonalName, value: &str) -> PersonalField {
        PersonalField { name, value: value.to_owned() }
    }

    fn some() -> Vec<PersonalField> {
        let text = |name: &str| PersonalName::Text(name.to_owned());
        vec![
            field(PersonalName::Address, "192.0.2.0/24"),
            field(PersonalName::Device, "d_1"),
            field(text("request.iban"), "DE02"),
            field(text("request.note"), "for Bob"),
            field(PersonalName::User, "u_alice"),
        ]
    }

    #[test]
    fn every_field_of_every_small_entry_is_shown_alone() {
        for count in 1..=5 {
            let fields: Vec<_> = some().into_iter().take(count).collect();
            let tree = Fields::new(&fields, &[7; 16]).expect("in order");
            let committed = tree.commitment();
            let shown: Vec<_> = tree.shown(|_| true).collect();
            assert_eq!(shown.len(), count);
            for (field, salt, place) in &shown {
                assert_eq!(holds(field, salt, place, committed), Ok(()), "{}", field.name.as_str());
                type Change = fn(&mut (PersonalField, Salt, Place));
                let rows: &[(&str, Change)] = &[
                    ("another value", |it| it.0.value.push('x')),
                    ("another name", |it| it.0.name = PersonalName::Path),
                    ("another salt", |it| it.1 = [0; 16]),
                    ("another place", |it| it.2.index += 1),
                    ("another count", |it| it.2.count += 1),
                    ("a hash more", |it| it.2.path.push(Hash([1; 32]))),
                    ("another hash beside it", |it| it.2.path.insert(0, Hash([1; 32]))),
                ];
                for (name, change) in rows {
                    let mut it = (field.clone(), *salt, place.clone());
                    change(&mut it);
                    assert_eq!(holds(&it.0, &it.1, &it.2, committed), Err(SealRefusal::CommitmentMismatch), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_salt_says_nothing_of_its_seed_or_of_another_salt() {
        let fields = some();
        let of =
            |seed: u8| Fields::new(&fields, &[seed; 16]).expect("in order").shown(|_| true).map(|(_, salt, _)| salt).collect::<Vec<_>>();
        let mut salts = [of(1), of(2)].concat();
        assert!(!salts.contains(&[1; 16]) && !salts.contains(&[2; 16]));
        salts.sort_unstable();
        salts.dedup();
        assert_eq!(salts.len(), 10, "each its own");
    }

    #[test]
    fn fields_have_one_order() {
        let mut fields = some();
        fields.swap(0, 1);
        assert_eq!(Fields::new(&fields, &[7; 16]).err(), Some(SealRefusal::NameRepeated));
        let twice = [field(PersonalName::User, "a"), field(PersonalName::User, "b")];
        assert_eq!(Fields::new(&twice, &[7; 16]).err(), Some(SealRefusal::NameRepeated));
    }

    #[test]
    fn codes_are_each_ones_own() {
        let mut codes: Vec<_> = CODES.iter().map(|(_, code)| *code).chain([TEXT_CODE]).collect();
        codes.dedup();
        assert_eq!(codes, (1..=12).collect::<Vec<_>>());
        assert!(CODES.iter().all(|(name, _)| PersonalName::parse(name.as_str()).as_ref() == Some(name)));
    }

    proptest! {
        #[test]
        fn a_box_gives_back_what_was_packed(address in "\\PC{0,40}", note in "\\PC{0,200}", seed: Seed) {
            let fields = vec![field(PersonalName::Address, &address), field(PersonalName::Text("request.note".to_owned()), &note)];
            prop_assert_eq!(unpack(&pack(&fields, &seed).expect("short")), Ok((seed, fields)));
        }

        #[test]
        fn no_box_panics(bytes: Vec<u8>) {
            if let Ok((seed, fields)) = unpack(&bytes) {
                prop_assert_eq!(pack(&fields, &seed), Ok(bytes), "one spelling");
            }
        }
    }
}
