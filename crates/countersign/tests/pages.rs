//! The pages that people read lead where they say: every link to a file, every `make` target, and the licences that the manifest names.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages() -> Vec<PathBuf> {
    [root(), root().join("docs")]
        .iter()
        .flat_map(|dir| fs::read_dir(dir).expect("a folder of the repository"))
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// The targets of Markdown's inline links.
fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

#[test]
fn every_link_leads_somewhere() {
    let mut followed = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let folder = page.parent().expect("a page lies in a folder");
        for link in links(&text).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or(link);
            assert!(folder.join(file).exists(), "{}: `{link}` leads nowhere", page.display());
            followed += 1;
        }
    }
    assert!(followed > 20, "only {followed} links were found: does the search still work?");
}

#[test]
fn every_make_target_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("the Makefile");
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter(|line| !line.starts_with(['\t', '.']))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    let mut named = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for target in text.split("`make ").skip(1).filter_map(|rest| rest.split(['`', ' ']).next()) {
            assert!(targets.contains(target), "{}: there is no `make {target}`", page.display());
            named += 1;
        }
    }
    assert!(named > 8, "only {named} targets were found: does the search still work?");
}

#[test]
fn the_licences_are_there() {
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md"] {
        assert!(root().join(file).is_file(), "{file} is missing");
    }
}
