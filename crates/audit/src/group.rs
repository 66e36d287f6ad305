//! One group of records against the checkpoint that was signed over it: what does not fit, and where.
//!
//! The signed root says what the group was. Whoever changed the group left traces of how; each way of undoing the change is
//! tried, and the one that leads back to the signed root is what happened. Where none does, the traces themselves are
//! reported, and at least the two commits that the change lies between.

use std::collections::BTreeSet;

use crate::{
    checkpoint::Checkpoint,
    fault::{FaultKind, Finding},
    hash::Hash,
    merkle::Frontier,
};

/// Records among which one that was put in is looked for by leaving each out in turn.
const TRIED_MAX: usize = 2048;

/// A record as its line stands in the file.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The number that the line claims.
    pub seq: u64,
    /// The hash that the line claims.
    pub claimed: Hash,
    /// The hash of what the line holds.
    pub computed: Hash,
    /// The line, from 1.
    pub line: u64,
}

/// What became of a group.
pub struct Judgement {
    /// What does not fit; nothing for a group as it was signed.
    pub findings: Vec<Finding>,
    /// The leaves that were signed, where they could be found again: the tree goes on with them.
    pub leaves: Option<Vec<Hash>>,
}

/// Judges the records since the commit over `first` records. Without their tree (it was lost with an earlier group) only
/// the traces are left.
pub fn judge(tree: Option<&Frontier>, first: u64, rows: &[Row], checkpoint: &Checkpoint) -> Judgement {
    let places = first..checkpoint.size;
    let Some(tree) = tree else { return Judgement { findings: traces(rows, &places), leaves: None } };
    if let Some(leaves) = fits(tree, rows, checkpoint) {
        return Judgement { findings: beside(rows, &leaves, first), leaves: Some(leaves) };
    }
    let mut sorted = rows.to_vec();
    sorted.sort_by_key(|row| row.seq);
    sorted.dedup_by_key(|row| row.seq);
    if let Some(leaves) = fits(tree, &sorted, checkpoint) {
        return Judgement { findings: traces(rows, &places), leaves: Some(leaves) };
    }
    if let Some((extra, leaves)) = one_too_many(tree, rows, checkpoint) {
        let finding =
            Finding::at(FaultKind::Inserted, extra.seq, extra.line, "was put in: without it the records are those that were signed");
        return Judgement { findings: vec![finding], leaves: Some(leaves) };
    }
    let mut findings = traces(rows, &places);
    if findings.is_empty() {
        findings.push(whole(rows, &places));
    }
    Judgement { findings, leaves: None }
}

/// The leaves of the rows in this order, if they lead to the signed root: by the hashes that the lines claim, or by those of
/// what the lines hold.
fn fits(tree: &Frontier, rows: &[Row], checkpoint: &Checkpoint) -> Option<Vec<Hash>> {
    let readings: [fn(&Row) -> Hash; 2] = [|row| row.claimed, |row| row.computed];
    readings.into_iter().find_map(|reading| {
        let leaves: Vec<_> = rows.iter().map(reading).collect();
        let mut tree = tree.clone();
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        (tree.size() == checkpoint.size && tree.root() == checkpoint.root).then_some(leaves)
    })
}

/// The record without which the others are what was signed.
fn one_too_many(tree: &Frontier, rows: &[Row], checkpoint: &Checkpoint) -> Option<(Row, Vec<Hash>)> {
    if rows.len() > TRIED_MAX || tree.size().checked_add(u64::try_from(rows.len()).ok()?)? != checkpoint.size.checked_add(1)? {
        return None;
    }
    rows.iter().enumerate().find_map(|(at, extra)| {
        let others: Vec<_> = rows.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, row)| *row).collect();
        Some((*extra, fits(tree, &others, checkpoint)?))
    })
}

/// The records are what was signed, in their order; what differs stands beside them in their lines.
fn beside(rows: &[Row], signed: &[Hash], first: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((row, leaf), seq) in rows.iter().zip(signed).zip(first..) {
        if row.computed != *leaf {
            findings.push(Finding::at(FaultKind::Flipped, seq, row.line, "its content is not what was signed"));
        } else if row.claimed != *leaf {
            findings.push(Finding::at(FaultKind::Flipped, seq, row.line, "the hash written beside it was changed, its content was not"));
        }
        if row.seq != seq {
            findings.push(Finding::at(FaultKind::Flipped, seq, row.line, "the number written beside it was changed"));
        }
    }
    findings
}

/// What the lines show by themselves: contents that do not fit their hashes, and numbers that are missing, there twice, of
/// another place or out of order.
pub fn traces(rows: &[Row], places: &std::ops::Range<u64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut seen, mut expected, mut highest) = (BTreeSet::new(), places.start, places.start);
    let all: BTreeSet<_> = rows.iter().map(|row| row.seq).collect();
    for row in rows {
        if row.claimed != row.computed {
            findings.push(Finding::at(FaultKind::Flipped, row.seq, row.line, "does not match its hash"));
        }
        if !places.contains(&row.seq) {
            findings.push(Finding::at(FaultKind::Inserted, row.seq, row.line, "is of another place"));
            continue;
        }
        if !seen.insert(row.seq) {
            findings.push(Finding::at(FaultKind::Inserted, row.seq, row.line, "is there a second time"));
            continue;
        }
        if row.seq < highest {
            reordered(&mut findings, row, highest);
            continue;
        }
        findings.extend(gap(expected, row.seq, row.line, &all));
        highest = row.seq;
        expected = row.seq.saturating_add(1);
    }
    let line = rows.last().map_or(0, |row| row.line).saturating_add(1);
    findings.extend(gap(expected, places.end, line, &all).map(|missing| {
        // Numbers can be rewritten: that the last ones are missing only says how many are, unless something else was found.
        let count = missing.last.saturating_sub(missing.first).saturating_add(1);
        let what = format!("{count} of these are missing, if the others were not renumbered the last");
        Finding { first: places.start, what, ..missing }
    }));
    findings
}

/// Notes a record that stands after later ones; neighbours that were moved together are one finding.
fn reordered(findings: &mut Vec<Finding>, row: &Row, highest: u64) {
    if let Some(last) = findings.last_mut().filter(|last| last.kind == FaultKind::Reordered && last.last == highest) {
        last.first = last.first.min(row.seq);
        return;
    }
    let what = "stand in another order than they were signed in".to_owned();
    findings.push(Finding { kind: FaultKind::Reordered, first: row.seq, last: highest, line: row.line, what });
}

/// The numbers from `expected` to before `found`, if they stand nowhere in the group.
fn gap(expected: u64, found: u64, line: u64, all: &BTreeSet<u64>) -> Option<Finding> {
    let last = found.checked_sub(1).filter(|last| *last >= expected)?;
    let (mut first, mut last) = (expected, last);
    // Records that stand elsewhere in the group are out of order, not missing.
    while all.contains(&first) && first <= last {
        first = first.checked_add(1)?;
    }
    while all.contains(&last) && last > first {
        last = last.saturating_sub(1);
    }
    (first <= last).then(|| Finding { kind: FaultKind::Dropped, first, last, line, what: "missing".to_owned() })
}

/// The lines fit themselves and each other, but are not what was signed.
fn whole(rows: &[Row], places: &std::ops::Range<u64>) -> Finding {
    let what = "not the records that were signed: rewritten together with their hashes".to_owned();
    let last = places.end.saturating_sub(1).max(places.start);
    Finding { kind: FaultKind::Rewritten, first: places.start, last, line: rows.first().map_or(0, |row| row.line), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use countersign_core::UnixMillis;

    /// A tree of four, and a group of six after it as it was signed.
    fn group() -> (Frontier, Vec<Row>, Checkpoint) {
        let mut tree = Frontier::default();
        (0..4_u64).for_each(|seq| tree.append(leaf_hash(&seq.to_be_bytes())));
        let rows: Vec<_> = (4..10).map(|seq| row(seq, seq)).collect();
        let mut whole = tree.clone();
        rows.iter().for_each(|row| whole.append(row.computed));
        (tree, rows, Checkpoint { size: 10, root: whole.root(), at: UnixMillis(0) })
    }

    fn row(seq: u64, content: u64) -> Row {
        let hash = leaf_hash(&content.to_be_bytes());
        Row { seq, claimed: hash, computed: hash, line: seq + 100 }
    }

    /// Numbers the rows as their places are, as somebody would who covers a change up.
    fn renumber(rows: &mut [Row]) {
        rows.iter_mut().zip(4..).for_each(|(row, seq)| row.seq = seq);
    }

    #[test]
    fn each_change_is_told_by_its_name_and_place() {
        use FaultKind::{Dropped, Flipped, Inserted, Reordered, Rewritten};
        type Change = fn(&mut Vec<Row>);
        /// Whether the tree goes on behind the group.
        #[derive(Clone, Copy, Debug, PartialEq)]
        enum Tree {
            Found,
            Lost,
        }
        let rows: &[(&str, Change, &[(FaultKind, u64, u64)], Tree)] = &[
            ("nothing", |_| {}, &[], Tree::Found),
            ("a content", |rows| rows[1].computed = leaf_hash(b"x"), &[(Flipped, 5, 5)], Tree::Found),
            (
                "two contents",
                |rows| (rows[1].computed, rows[4].computed) = (leaf_hash(b"x"), leaf_hash(b"y")),
                &[(Flipped, 5, 5), (Flipped, 8, 8)],
                Tree::Found,
            ),
            ("a hash", |rows| rows[1].claimed = leaf_hash(b"x"), &[(Flipped, 5, 5)], Tree::Found),
            ("a number", |rows| rows[1].seq = 7, &[(Flipped, 5, 5)], Tree::Found),
            ("content and hash", |rows| rows[1] = row(5, 99), &[(Rewritten, 4, 9)], Tree::Lost),
            (
                "the first dropped",
                |rows| {
                    rows.remove(0);
                },
                &[(Dropped, 4, 4)],
                Tree::Lost,
            ),
            (
                "one dropped",
                |rows| {
                    rows.remove(2);
                },
                &[(Dropped, 6, 6)],
                Tree::Lost,
            ),
            ("three dropped", |rows| drop(rows.drain(1..4)), &[(Dropped, 5, 7)], Tree::Lost),
            (
                "the last dropped",
                |rows| {
                    rows.remove(5);
                },
                &[(Dropped, 4, 9)],
                Tree::Lost,
            ),
            (
                "one dropped, the others renumbered",
                |rows| {
                    rows.remove(2);
                    renumber(rows)
                },
                &[(Dropped, 4, 9)],
                Tree::Lost,
            ),
            (
                "two copies put in",
                |rows| {
                    rows.insert(3, rows[2]);
                    rows.push(rows[0]);
                },
                &[(Inserted, 6, 6), (Inserted, 4, 4)],
                Tree::Found,
            ),
            ("a copy put in", |rows| rows.insert(3, rows[2]), &[(Inserted, 6, 6)], Tree::Found),
            ("another of that number put in", |rows| rows.insert(2, row(6, 99)), &[(Inserted, 6, 6)], Tree::Found),
            (
                "another put in, the others renumbered",
                |rows| {
                    rows.insert(2, row(0, 99));
                    renumber(rows)
                },
                &[(Inserted, 6, 6)],
                Tree::Found,
            ),
            ("one of another place put in", |rows| rows.push(row(77, 77)), &[(Inserted, 77, 77)], Tree::Found),
            ("two swapped", |rows| rows.swap(1, 2), &[(Reordered, 5, 6)], Tree::Found),
            ("two far ones swapped", |rows| rows.swap(0, 5), &[(Reordered, 4, 9)], Tree::Found),
            (
                "two swapped and renumbered",
                |rows| {
                    rows.swap(1, 2);
                    renumber(rows)
                },
                &[(Rewritten, 4, 9)],
                Tree::Lost,
            ),
            ("all dropped", |rows| rows.clear(), &[(Dropped, 4, 9)], Tree::Lost),
        ];
        for (name, change, expected, tree_after) in rows {
            let (tree, mut rows, checkpoint) = group();
            change(&mut rows);
            let judgement = judge(Some(&tree), 4, &rows, &checkpoint);
            let found: Vec<_> = judgement.findings.iter().map(|finding| (finding.kind, finding.first, finding.last)).collect();
            assert_eq!(found, *expected, "{name}");
            assert_eq!(if judgement.leaves.is_some() { Tree::Found } else { Tree::Lost }, *tree_after, "{name}");
        }
    }

    /// A root says how many leaves it has only to those who know them all; the signed size is compared for itself.
    #[test]
    fn a_commit_over_more_than_is_there_is_no_commit_over_it() {
        let (tree, rows, checkpoint) = group();
        let judgement = judge(Some(&tree), 4, &rows, &Checkpoint { size: 11, ..checkpoint });
        assert!(judgement.leaves.is_none());
        assert_eq!(judgement.findings.first().map(|finding| finding.kind), Some(FaultKind::Dropped));
    }

    #[test]
    fn without_a_tree_the_traces_still_speak() {
        let (_, mut rows, checkpoint) = group();
        rows.remove(2);
        let judgement = judge(None, 4, &rows, &checkpoint);
        assert_eq!(judgement.findings.first().map(|finding| (finding.kind, finding.first)), Some((FaultKind::Dropped, 6)));
        assert!(judgement.leaves.is_none());
    }
}
