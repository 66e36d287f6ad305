//! Witnesses cannot be made by what ships: no manifest of the product turns on what backends and tests make them with.

use std::{fs, path::Path};

/// The lines of a manifest that say what the product is built with: not those for tests, nor those that only declare a feature.
fn product(manifest: &str) -> impl Iterator<Item = &str> {
    let mut tests_only = false;
    manifest.lines().filter(move |line| {
        if line.starts_with('[') {
            tests_only = line.contains("dev-dependencies");
        }
        !tests_only && !line.trim_start().starts_with('#')
    })
}

#[test]
fn no_product_turns_on_the_features_of_backends_and_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = fs::read_dir(root.join("crates")).expect("crates/").flatten().map(|entry| entry.path().join("Cargo.toml"));
    let mut read = 0;
    for path in crates.chain([root.join("Cargo.toml"), root.join("examples/bank/Cargo.toml")]) {
        let Ok(manifest) = fs::read_to_string(&path) else { continue };
        read += 1;
        for line in product(&manifest) {
            let turned_on = line.contains("countersign-store") && (line.contains("backend") || line.contains("suite"));
            assert!(!turned_on, "{}: `{line}`; servers get witnesses from promises, ask `Sessions` or `Devices`", path.display());
        }
    }
    assert!(read > 10, "{read} manifests were read");
}

#[test]
fn the_reading_of_manifests_sees_what_it_is_to_see() {
    let rows = [
        ("[dependencies]\ncountersign-store = { workspace = true, features = [\"backend\"] }", true),
        ("[dev-dependencies]\ncountersign-store = { workspace = true, features = [\"backend\"] }", false),
        ("[dev-dependencies]\ntokio = \"1\"\n[features]\nx = [\"countersign-store/backend\"]", true),
        ("[dependencies]\n# countersign-store with backend", false),
    ];
    for (manifest, expected) in rows {
        let seen = product(manifest).any(|line| line.contains("countersign-store") && line.contains("backend"));
        assert_eq!(seen, expected, "{manifest}");
    }
}
