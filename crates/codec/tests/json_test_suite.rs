//! JSONTestSuite: what must parse does, what must not does not, and where we are stricter is written down.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use countersign_codec::json::{Object, document, parse};

/// Documents that must parse and are refused here, with the reason; an entry that no longer applies fails the test.
const STRICTER: &[(&str, &str)] = &[
    ("y_object_duplicated_key.json", "a name twice has two readings"),
    ("y_object_duplicated_key_and_value.json", "a name twice has two readings"),
];

/// The depth at which the servers read.
const DEPTH_MAX: usize = 64;

/// The three ways to read. An [`Object`] gets each text as the value of a member.
const READERS: &[(&str, fn(&[u8]) -> bool)] = &[
    ("document", |bytes| document(bytes, DEPTH_MAX).is_ok()),
    ("parse", |bytes| parse::<serde_json::Value>(bytes, DEPTH_MAX).is_ok()),
    ("object", |bytes| Object::from_bytes(&[b"{\"a\":", bytes, b"}"].concat(), DEPTH_MAX).is_ok()),
];

#[test]
fn json_test_suite() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/json"));
    if !folder.is_dir() {
        println!("skipped: shared/ is not beside the checkout");
        return;
    }
    let (mut judged, mut must, mut wrong) = (0, 0, Vec::new());
    for file in every_file(folder).expect("a folder") {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = fs::read(&file).expect("a file");
        let stricter = STRICTER.iter().any(|(stricter, _)| *stricter == name);
        for (reader, accepts) in READERS {
            let accepted = accepts(&bytes);
            let right = match name.get(..2) {
                Some("y_") => accepted != stricter,
                Some("n_") => !accepted,
                // What the suite leaves open must not panic; a text that is not UTF-8 is refused by rule.
                Some("i_") => !accepted || std::str::from_utf8(&bytes).is_ok(),
                Some(_) | None => true,
            };
            if !right {
                wrong.push(format!("{reader}: {name}"));
            }
        }
        judged += 1;
        must += usize::from(matches!(name.get(..2), Some("y_" | "n_")));
    }
    assert!(judged > 300 && must >= 283, "only {judged} documents, {must} of which have one answer");
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn every_file(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(every_file(&path)?) } else { found.push(path) }
    }
    Ok(found)
}
