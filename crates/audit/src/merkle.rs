//! The tree: appending, proving, checking (RFC 9162 section 2.1).

use std::fmt;

use crate::hash::{Hash, digest, node_hash};

/// The right edge of a tree: all that is needed to append. At most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees that make up the tree, largest first; one per set bit of `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Takes up a tree of `size` leaves again. `None` when the number of peaks does not fit the size.
    #[must_use]
    pub fn resume(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (u64::from(size.count_ones()) == u64::try_from(peaks.len()).ok()?).then_some(Self { size, peaks })
    }

    /// Leaves so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the perfect subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The root of the tree so far; of the empty tree, the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return digest(&[]) };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The root of a tree of these leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.append(*leaf));
    frontier.root()
}

/// Splits at the largest power of two below the length (RFC 9162 section 2.1.1). `None` for fewer than two leaves.
fn split(leaves: &[Hash]) -> Option<(&[Hash], &[Hash])> {
    let below = leaves.len().checked_sub(1).filter(|n| *n > 0)?;
    leaves.split_at_checked(1_usize << below.ilog2())
}

/// The path that proves leaf `index` (RFC 9162 section 2.1.3.1). `None` when there is no such leaf.
#[must_use]
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut leaves, mut index, mut path) = (leaves, index, Vec::new());
    while let Some((left, right)) = split(leaves) {
        if index < left.len() {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            index = index.saturating_sub(left.len());
            leaves = right;
        }
    }
    path.reverse();
    Some(path)
}

/// The path that proves that the tree of the first `earlier` leaves is the beginning of this one (RFC 9162 section
/// 2.1.4.1). `None` when there are not so many leaves, or `earlier` is zero.
#[must_use]
pub fn consistency_proof(leaves: &[Hash], earlier: usize) -> Option<Vec<Hash>> {
    if earlier == 0 || earlier > leaves.len() {
        return None;
    }
    let (mut leaves, mut earlier, mut whole, mut path) = (leaves, earlier, true, Vec::new());
    while earlier < leaves.len() {
        let (left, right) = split(leaves)?;
        if earlier <= left.len() {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            earlier = earlier.saturating_sub(left.len());
            leaves = right;
            whole = false;
        }
    }
    if !whole {
        path.push(root(leaves));
    }
    path.reverse();
    Some(path)
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofRefusal {
    /// The leaf is not one of the tree, or the earlier tree is empty or larger than the later one.
    OutOfRange,
    /// The path computes another root.
    RootMismatch,
    /// The path has more or fewer hashes than a tree of this size has.
    WrongLength,
}

impl fmt::Display for ProofRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "the tree has no such entry",
            Self::RootMismatch => "the entry, its place or its path was changed: they lead to another root",
            Self::WrongLength => "the path has another length than one in a tree of this size",
        })
    }
}

impl std::error::Error for ProofRefusal {}

/// A leaf that is part of a tree. Only [`verify_inclusion`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerifiedInclusion {
    /// The tree's root.
    pub root: Hash,
}

/// A tree that begins with an earlier one. Only [`verify_consistency`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerifiedConsistency(());

/// Checks that `leaf` is number `index` of the tree of `size` leaves with `root` (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// When it is not, or the path does not fit.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: Hash) -> Result<VerifiedInclusion, ProofRefusal> {
    if root_above(leaf, index, size, path)? == root { Ok(VerifiedInclusion { root }) } else { Err(ProofRefusal::RootMismatch) }
}

/// The root to which a path leads from leaf `index` of a tree of `size` leaves (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// When the path does not fit.
pub(crate) fn root_above(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Result<Hash, ProofRefusal> {
    if index >= size {
        return Err(ProofRefusal::OutOfRange);
    }
    let (mut node, mut last, mut hash) = (index, size.saturating_sub(1), leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofRefusal::WrongLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 { Ok(hash) } else { Err(ProofRefusal::WrongLength) }
}

/// A tree's size and root.
type Tree = (u64, Hash);

/// Checks that the tree `later` begins with the tree `earlier` (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// When it does not, or the path does not fit.
pub fn verify_consistency(earlier: Tree, later: Tree, path: &[Hash]) -> Result<VerifiedConsistency, ProofRefusal> {
    let ((first, first_root), (second, second_root)) = (earlier, later);
    // The empty tree begins every tree, so a proof from it would prove nothing.
    if first == 0 || first > second {
        return Err(ProofRefusal::OutOfRange);
    }
    if first == second {
        return match (path, first_root == second_root) {
            ([], true) => Ok(VerifiedConsistency(())),
            ([], false) => Err(ProofRefusal::RootMismatch),
            (_, true | false) => Err(ProofRefusal::WrongLength),
        };
    }
    // An earlier tree that is perfect is itself the first node of the path.
    let mut rest = path.iter();
    let start = if first.is_power_of_two() { Some(&first_root) } else { rest.next() };
    let Some(start) = start else { return Err(ProofRefusal::WrongLength) };
    let (mut node, mut last) = (first.saturating_sub(1), second.saturating_sub(1));
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut of_first, mut of_second) = (*start, *start);
    for sibling in rest {
        if last == 0 {
            return Err(ProofRefusal::WrongLength);
        }
        if node & 1 == 1 || node == last {
            of_first = node_hash(sibling, &of_first);
            of_second = node_hash(sibling, &of_second);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            of_second = node_hash(&of_second, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofRefusal::WrongLength);
    }
    if of_first == first_root && of_second == second_root { Ok(VerifiedConsistency(())) } else { Err(ProofRefusal::RootMismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn every_proof_of_every_small_tree_holds_and_no_other() {
        for size in 1..=33_usize {
            let leaves = leaves(size as u64);
            let whole = root(&leaves);
            for index in 0..size {
                let path = inclusion_proof(&leaves, index).expect("a leaf");
                let check =
                    |leaf, index: usize, path: &[Hash], root| verify_inclusion(leaf, index as u64, size as u64, path, root).map(|_| ());
                assert_eq!(check(leaves[index], index, &path, whole), Ok(()), "{index} of {size}");
                assert_eq!(check(leaf_hash(b"x"), index, &path, whole), Err(ProofRefusal::RootMismatch));
                assert_eq!(check(leaves[index], size, &path, whole), Err(ProofRefusal::OutOfRange));
                let longer = [path.as_slice(), &[whole]].concat();
                assert_eq!(check(leaves[index], index, &longer, whole), Err(ProofRefusal::WrongLength));
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(check(leaves[index], index, shorter, whole), Err(ProofRefusal::WrongLength));
                }
            }
            for earlier in 1..=size {
                let path = consistency_proof(&leaves, earlier).expect("an earlier tree");
                let first = (earlier as u64, root(&leaves[..earlier]));
                let check = |first, later, path: &[Hash]| verify_consistency(first, later, path).map(|_| ());
                assert_eq!(check(first, (size as u64, whole), &path), Ok(()), "{earlier} in {size}");
                assert_eq!(check((earlier as u64, leaf_hash(b"x")), (size as u64, whole), &path), Err(ProofRefusal::RootMismatch));
                assert_eq!(check((size as u64 + 1, whole), (size as u64, whole), &path), Err(ProofRefusal::OutOfRange));
                let longer = [path.as_slice(), &[whole]].concat();
                assert_eq!(check(first, (size as u64, whole), &longer), Err(ProofRefusal::WrongLength));
            }
        }
        assert_eq!(inclusion_proof(&leaves(3), 3), None);
        assert_eq!(consistency_proof(&leaves(3), 0), None);
        assert_eq!(consistency_proof(&leaves(3), 4), None);
    }

    #[test]
    fn a_frontier_resumes_where_it_was_left() {
        let mut whole = Frontier::default();
        for leaf in leaves(21) {
            let mut resumed = Frontier::resume(whole.size(), whole.peaks().to_vec()).expect("its own peaks");
            whole.append(leaf);
            resumed.append(leaf);
            assert_eq!(resumed, whole);
        }
        assert_eq!(whole.root(), root(&leaves(21)));
        assert_eq!(Frontier::resume(3, vec![]), None);
    }
}
