//! The workspace as it was read: the code of every room, and who imports whom, file by file.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use crate::{
    code::{Code, Import},
    tree::Tree,
};

/// The code of the workspace's products (`crates/*/src`), by path.
pub struct Workspace(pub BTreeMap<String, Code>);

impl Workspace {
    /// Reads the sources of all products in a tree.
    ///
    /// # Panics
    /// When one is no Rust.
    pub fn read(tree: &Tree) -> Self {
        Self(read(tree, &is_product))
    }

    /// Reads all other sources: tests, examples, fuzz targets.
    ///
    /// # Panics
    /// When one is no Rust.
    pub fn others(tree: &Tree) -> BTreeMap<String, Code> {
        read(tree, &|path| !is_product(path))
    }

    /// The sources of a room's product: path below `src`, and code.
    pub fn room(&self, room: &str) -> impl Iterator<Item = (&str, &Code)> {
        let folder = format!("crates/{room}/src/");
        self.0.iter().filter_map(move |(path, code)| Some((path.strip_prefix(&folder)?, code)))
    }

    /// Who imports whom in a room: for each file those that define what it uses, as paths below `src`.
    pub fn imports(&self, room: &str) -> BTreeMap<String, BTreeSet<String>> {
        let index = Index::of(room, self.room(room));
        let mut graph = BTreeMap::new();
        for (path, code) in self.room(room) {
            let mut out = BTreeSet::new();
            for (scope, names) in
                code.imports.iter().map(|import| (&import.scope, &import.path)).chain(code.paths.iter().map(|(s, p)| (s, p)))
            {
                let from = Index::module(path).into_iter().chain(scope.iter().cloned()).collect::<Vec<_>>();
                out.extend(index.definer(path, &from, names).filter(|file| *file != path).map(String::from));
            }
            graph.insert(path.to_owned(), out);
        }
        graph
    }
}

/// Reads sources, on as many threads as help.
fn read(tree: &Tree, wanted: &dyn Fn(&str) -> bool) -> BTreeMap<String, Code> {
    let mut files: Vec<_> = tree.files().filter(|(path, _)| path.ends_with(".rs") && wanted(path)).collect();
    // Large and small ones mixed, so that no thread has all the large ones.
    files.sort_by_key(|(_, text)| text.len());
    thread::scope(|scope| {
        let read = |at: usize| {
            let files = files.iter().skip(at).step_by(THREADS);
            files
                .map(|(path, text)| ((*path).to_owned(), Code::read(text).unwrap_or_else(|why| panic!("{path}: {why}"))))
                .collect::<Vec<_>>()
        };
        let workers: Vec<_> = (0..THREADS).map(|at| scope.spawn(move || read(at))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("sources are read")).collect()
    })
}

fn is_product(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some("crates") && parts.nth(1) == Some("src")
}

/// A module of a room.
#[derive(Default)]
struct Module<'a> {
    file: &'a str,
    defined: BTreeSet<&'a str>,
    imports: Vec<&'a Import>,
}

/// The modules of a room by their paths.
struct Index<'a> {
    modules: BTreeMap<Vec<String>, Module<'a>>,
    /// What the crate is called in paths of its own binary.
    name: String,
}

/// What a path leads to.
enum Meant<'a> {
    Module(Vec<String>),
    /// The file that defines it.
    Item(&'a str),
}

/// Threads that read sources.
const THREADS: usize = 4;

/// Steps from import to import; a longer way is a circle of imports.
const STEPS_MAX: u8 = 16;

impl<'a> Index<'a> {
    fn of(room: &str, files: impl Iterator<Item = (&'a str, &'a Code)>) -> Self {
        let mut modules: BTreeMap<Vec<String>, Module<'a>> = BTreeMap::new();
        for (path, code) in files {
            let own = Self::module(path);
            for scope in std::iter::once(&Vec::new()).chain(&code.inline) {
                let module = modules.entry(own.iter().cloned().chain(scope.iter().cloned()).collect()).or_default();
                module.file = path;
                module.defined.extend(code.defined.iter().filter(|item| item.scope == *scope).map(|item| item.name.as_str()));
                module.imports.extend(code.imports.iter().filter(|import| import.scope == *scope));
            }
        }
        let name = if room == "countersign" { room.to_owned() } else { format!("countersign_{}", room.replace('-', "_")) };
        Self { modules, name }
    }

    /// The path of the module that a file is. A binary beside a library is a root of its own.
    fn module(path: &str) -> Vec<String> {
        let path = path.trim_end_matches(".rs");
        match path {
            "lib" => Vec::new(),
            "main" => vec!["main".to_owned()],
            _ => path.trim_end_matches("/mod").split('/').map(String::from).collect(),
        }
    }

    /// The file that defines what a path means, if that is ours.
    fn definer(&self, path: &str, from: &[String], names: &[String]) -> Option<&'a str> {
        // In a crate without a library, `main.rs` is the root.
        let root = if path == "main.rs" && self.modules.contains_key(&Vec::new()) { vec!["main".to_owned()] } else { Vec::new() };
        match self.meaning(&root, from, names, STEPS_MAX)? {
            Meant::Item(file) => Some(file),
            Meant::Module(_) => None,
        }
    }

    fn meaning(&self, root: &[String], from: &[String], names: &[String], steps: u8) -> Option<Meant<'a>> {
        let steps = steps.checked_sub(1)?;
        let (first, mut rest) = names.split_first()?;
        let mut module = match first.as_str() {
            "crate" => root.to_vec(),
            "self" => from.to_vec(),
            "super" => parent(from)?,
            "std" | "core" | "alloc" | "Self" => return None,
            name if name == self.name => Vec::new(),
            name => match self.named(from, name, steps)? {
                Meant::Module(module) => module,
                item @ Meant::Item(_) => return Some(item),
            },
        };
        while let Some((name, after)) = rest.split_first() {
            rest = after;
            if name == "super" {
                module = parent(&module)?;
                continue;
            }
            match self.named(&module, name, steps)? {
                Meant::Module(below) => module = below,
                item @ Meant::Item(_) => return Some(item),
            }
        }
        Some(Meant::Module(module))
    }

    /// What a name means in a module: a child, an item, or what it imports.
    fn named(&self, at: &[String], name: &str, steps: u8) -> Option<Meant<'a>> {
        let below: Vec<_> = at.iter().cloned().chain([name.to_owned()]).collect();
        if self.modules.contains_key(&below) {
            return Some(Meant::Module(below));
        }
        let module = self.modules.get(at)?;
        if module.defined.contains(name) {
            return Some(Meant::Item(module.file));
        }
        let root = if at.first().is_some_and(|first| first == "main") { vec!["main".to_owned()] } else { Vec::new() };
        let by_name = module.imports.iter().filter(|import| import.name.as_deref() == Some(name));
        for import in by_name {
            // `use a::b` in `b`'s own parent would find itself; the steps end that.
            if let Some(found) = self.meaning(&root, at, &import.path, steps) {
                return Some(found);
            }
        }
        for import in module.imports.iter().filter(|import| import.glob) {
            if let Some(Meant::Module(all)) = self.meaning(&root, at, &import.path, steps)
                && all != at
                && let Some(found) = self.named(&all, name, steps.checked_sub(1)?)
            {
                return Some(found);
            }
        }
        None
    }
}

fn parent(module: &[String]) -> Option<Vec<String>> {
    module.split_last().map(|(_, above)| above.to_vec())
}
