//! JSONTestSuite for bodies: valid documents parse, invalid ones do not, and each case in which this reader is stricter is listed.

use std::{fs, path::Path};

use countersign_policy::strict;

/// Documents that must parse and are refused here, with the reason; an entry that no longer applies fails the test.
const STRICTER: &[(&str, &str)] = &[
    ("y_object_duplicated_key.json", "a name twice has two readings"),
    ("y_object_duplicated_key_and_value.json", "a name twice has two readings"),
];

#[test]
fn json_test_suite() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/json/test_parsing"));
    if !folder.is_dir() {
        println!("skipped: shared/ is not beside the checkout");
        return;
    }
    let (mut judged, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let accepted = strict(&fs::read(entry.path()).expect("a file")).is_ok();
        let stricter = STRICTER.iter().any(|(stricter, _)| *stricter == name);
        let expected = match name.chars().next() {
            Some('y') => Some(!stricter),
            Some('n') => Some(false),
            _ => None,
        };
        judged += 1;
        if expected.is_some_and(|expected| expected != accepted) {
            wrong.push(name);
        }
    }
    assert!(judged > 300, "only {judged} documents");
    assert!(wrong.is_empty(), "{wrong:?}");
}
