//! Circles of imports: between files, and between the neighbours in a folder, each folder taken as one.

use std::collections::{BTreeMap, BTreeSet};

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Groups of two or more that reach each other.
pub fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<_, _> = graph.keys().map(|node| (node, reach(graph, node))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (node, out) in &reached {
        let circle: BTreeSet<_> = out.iter().filter(|other| reached.get(other).is_some_and(|back| back.contains(*node))).cloned().collect();
        if circle.len() > 1 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

fn reach(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![from.to_owned()];
    while let Some(node) = waiting.pop() {
        for next in graph.get(&node).into_iter().flatten() {
            if found.insert(next.clone()) {
                waiting.push(next.clone());
            }
        }
    }
    found
}

/// Circles of neighbours in a folder, of which at least one is a folder, with the folder before them. Those that are there only because
/// files form a circle are left out: that one is mended first.
pub fn folder_circles(files: &Graph) -> Vec<(String, BTreeSet<String>)> {
    let folders: BTreeSet<_> = files.keys().flat_map(|path| above(path)).collect();
    let between_files = circles(files);
    let implied = |folder: &str, circle: &BTreeSet<String>| {
        between_files.iter().any(|files| {
            let inside = files.iter().filter_map(|file| {
                let place = place(file, &folders);
                let depth = if folder.is_empty() { 0 } else { folder.split('/').count() };
                let below = place.iter().take(depth).cloned().collect::<Vec<_>>().join("/") == folder;
                below.then(|| shown(&place, depth)).flatten()
            });
            inside.filter(|node| circle.contains(node)).collect::<BTreeSet<_>>().len() > 1
        })
    };
    let mut found = Vec::new();
    for (folder, graph) in neighbours(files) {
        for circle in circles(&graph) {
            if circle.iter().any(|node| node.ends_with('/')) && !implied(&folder, &circle) {
                found.push((folder.clone(), circle));
            }
        }
    }
    found
}

/// The neighbour in a folder that a file belongs to: itself, or the folder that holds it.
fn shown(place: &[String], depth: usize) -> Option<String> {
    let name = place.get(depth)?;
    Some(if place.len() > depth + 1 { format!("{name}/") } else { name.clone() })
}

/// For each folder below `src` (`""` is `src` itself) the graph of what stands directly in it. `x.rs` beside `x/` is part of `x/`, and
/// `lib.rs` and `main.rs`, which compose all, are left out.
fn neighbours(files: &Graph) -> BTreeMap<String, Graph> {
    let folders: BTreeSet<_> = files.keys().flat_map(|path| above(path)).collect();
    let mut found: BTreeMap<String, Graph> = BTreeMap::new();
    for (from, all) in files.iter().filter(|(path, _)| !matches!(path.as_str(), "lib.rs" | "main.rs")) {
        for to in all.iter().filter(|path| !matches!(path.as_str(), "lib.rs" | "main.rs")) {
            let (ours, theirs) = (place(from, &folders), place(to, &folders));
            let shared = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
            let (Some(a), Some(b)) = (shown(&ours, shared), shown(&theirs, shared)) else { continue };
            let folder = ours.iter().take(shared).cloned().collect::<Vec<_>>().join("/");
            let graph = found.entry(folder).or_default();
            graph.entry(a.clone()).or_default().insert(b.clone());
            graph.entry(b.clone()).or_default();
        }
    }
    found
}

/// The folders above a file.
fn above(path: &str) -> Vec<String> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at)).map(String::from).collect()
}

/// Folders from `src` down, then the file. What a folder holds itself (`x.rs`, `x/mod.rs`) is `mod` in it.
fn place(path: &str, folders: &BTreeSet<String>) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let path = if folders.contains(path) { format!("{path}/mod") } else { path.to_owned() };
    path.split('/').map(String::from).collect()
}

/// The longest way down: a file that imports nothing of ours stands on floor 1. Circles count as one floor.
pub fn floors(graph: &Graph) -> usize {
    fn floor(graph: &Graph, node: &str, known: &mut BTreeMap<String, usize>, open: &mut BTreeSet<String>) -> usize {
        if let Some(floor) = known.get(node) {
            return *floor;
        }
        open.insert(node.to_owned());
        let below = graph.get(node).into_iter().flatten();
        let below: Vec<_> = below.filter(|next| !open.contains(*next)).cloned().collect();
        let highest = below.iter().map(|next| floor(graph, next, known, open)).max().unwrap_or(0);
        open.remove(node);
        known.insert(node.to_owned(), highest + 1);
        highest + 1
    }
    let mut known = BTreeMap::new();
    graph.keys().map(|node| floor(graph, node, &mut known, &mut BTreeSet::new())).max().unwrap_or(0)
}
