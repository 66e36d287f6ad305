//! A tree of files: paths from the root of the workspace, and texts. It is read from a directory, or made up by a test.

use std::{collections::BTreeMap, fs, path::Path};

/// Texts by path.
#[derive(Clone, Default)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads sources and manifests of the workspace, and the lists of what is known.
    pub fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        for top in ["crates", "examples", "fuzz"] {
            tree.take(root, &root.join(top));
        }
        tree
    }

    fn take(&mut self, root: &Path, directory: &Path) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "fixtures" | "vectors" | "snapshots" | "corpus") {
                    self.take(root, &path);
                }
            } else if name.ends_with(".rs") || name == "Cargo.toml" || path.parent().is_some_and(|above| above.ends_with("known")) {
                let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                self.0.insert(relative, fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }

    /// The tree with a file put in, in place of what was there.
    pub fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.to_owned(), text.to_owned());
        self
    }

    /// The text of a file; empty when there is none.
    pub fn text(&self, path: &str) -> &str {
        self.0.get(path).map_or("", String::as_str)
    }

    /// All files, in order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The folders in `crates/` that hold a product.
    pub fn rooms(&self) -> Vec<String> {
        let room = |path: &String| {
            let (room, inside) = path.strip_prefix("crates/")?.split_once('/')?;
            (inside.starts_with("src/") || inside == "Cargo.toml").then(|| room.to_owned())
        };
        let mut rooms: Vec<_> = self.0.keys().filter_map(room).collect();
        rooms.dedup();
        rooms
    }

    /// The sources of a room's product: what stands in its `src`.
    pub fn sources(&self, room: &str) -> impl Iterator<Item = (&str, &str)> {
        let folder = format!("crates/{room}/src/");
        self.files().filter(move |(path, _)| path.starts_with(&folder) && path.ends_with(".rs"))
    }
}

/// A source without its tests, which stand last, and without comments.
pub fn product_text(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).fold(String::new(), |out, line| out + line + "\n")
}
