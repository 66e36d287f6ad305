//! What is read from a source: imports, paths, items, functions and doc comments of the product. Tests are left out.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, FnArg, Item, Pat, Type, UseTree, Visibility, visit::Visit};

/// An import, one name of it: `use a::b as c` is `[a, b]` under the name `c`.
#[derive(Clone, Debug)]
pub struct Import {
    /// The inline module in which it stands; empty for the file's own.
    pub scope: Vec<String>,
    /// What is imported; for `a::*` it is `[a]`.
    pub path: Vec<String>,
    /// Its name here; `None` for `*` and for `_`.
    pub name: Option<String>,
    /// Whether everything in it is imported.
    pub glob: bool,
}

/// Something that a module defines.
#[derive(Clone, Debug)]
pub struct Defined {
    /// The inline module in which it stands.
    pub scope: Vec<String>,
    /// `fn`, `struct`, ...
    pub kind: &'static str,
    /// Its name; methods with that of their type before it.
    pub name: String,
    /// Whether it is `pub`, and not only within the crate.
    pub public: bool,
}

/// A function of the product.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// First and last line.
    span: (usize, usize),
    /// Lines that hold code.
    pub lines: usize,
    /// Parameters besides `self`.
    pub parameters: usize,
    /// Parameters that are tuples, as they are written.
    pub tuples: Vec<String>,
}

/// What a source holds.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// Imports, those in functions too.
    pub imports: Vec<Import>,
    /// Paths of two or more words, each with the inline module in which it stands.
    pub paths: Vec<(Vec<String>, Vec<String>)>,
    /// Items.
    pub defined: Vec<Defined>,
    /// Inline modules.
    pub inline: Vec<Vec<String>>,
    /// Functions and methods.
    pub functions: Vec<Function>,
    /// Doc comments of items, fields and variants.
    pub docs: Vec<String>,
    /// Names of constants.
    pub constants: Vec<String>,
    /// Every word of the code, and how often it stands there.
    pub words: BTreeMap<String, usize>,
    /// Every word of the tests within the file.
    pub test_words: BTreeMap<String, usize>,
    /// The numbers of the lines that hold code.
    pub code_lines: BTreeSet<usize>,
    /// Comments that are no docs, blocks of lines counted once.
    pub comments: usize,
    /// Lines of doc comments.
    pub doc_lines: usize,
    /// Functions marked as tests, in the whole file: those that are synchronous, and those that wait.
    pub tests: (usize, usize),
}

impl Code {
    /// Reads a source.
    ///
    /// # Errors
    /// When it is no Rust.
    pub fn read(text: &str) -> syn::Result<Self> {
        let file = syn::parse_file(text)?;
        let mut code = Self::default();
        code.items(&[], &file.items);
        for function in &mut code.functions {
            function.lines = code.code_lines.range(function.span.0..=function.span.1).count();
        }
        let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        (code.comments, code.doc_lines) = comments(product);
        Ok(code)
    }

    fn items(&mut self, scope: &[String], items: &[Item]) {
        for item in items {
            if is_test(attributes(item)) {
                words(item.to_token_stream(), &mut self.test_words);
                self.count_tests(item);
                continue;
            }
            self.docs.extend(doc(attributes(item)));
            match item {
                Item::Use(import) => {
                    code_lines(item.to_token_stream(), &mut self.code_lines);
                    self.import(scope, &import.tree, &[]);
                }
                Item::Mod(item) => {
                    if let Some((_, inside)) = &item.content {
                        let scope: Vec<_> = scope.iter().cloned().chain([item.ident.to_string()]).collect();
                        self.inline.push(scope.clone());
                        self.items(&scope, inside);
                    }
                }
                other => self.item(scope, other),
            }
        }
    }

    fn item(&mut self, scope: &[String], item: &Item) {
        self.count_tests(item);
        self.define(scope, item);
        let tokens = item.to_token_stream();
        words(tokens.clone(), &mut self.words);
        code_lines(tokens.clone(), &mut self.code_lines);
        self.walk(scope, tokens);
        let mut reader = Reader { code: self, of: None };
        reader.visit_item(item);
    }

    fn define(&mut self, scope: &[String], item: &Item) {
        let (kind, name, visibility) = match item {
            Item::Const(item) => ("const", item.ident.to_string(), &item.vis),
            Item::Enum(item) => ("enum", item.ident.to_string(), &item.vis),
            Item::Fn(item) => ("fn", item.sig.ident.to_string(), &item.vis),
            Item::Static(item) => ("static", item.ident.to_string(), &item.vis),
            Item::Struct(item) => ("struct", item.ident.to_string(), &item.vis),
            Item::Trait(item) => ("trait", item.ident.to_string(), &item.vis),
            Item::Type(item) => ("type", item.ident.to_string(), &item.vis),
            Item::Macro(item) => {
                if let Some(name) = &item.ident {
                    let defined = Defined { scope: scope.to_vec(), kind: "macro", name: name.to_string(), public: false };
                    self.defined.push(defined);
                } else {
                    self.made_by_macro(scope, item.mac.tokens.clone());
                }
                return;
            }
            _ => return,
        };
        let public = matches!(visibility, Visibility::Public(_));
        self.defined.push(Defined { scope: scope.to_vec(), kind, name, public });
    }

    /// Words that begin with a capital in the call of a macro: it may define any of them.
    fn made_by_macro(&mut self, scope: &[String], tokens: TokenStream) {
        let mut all = BTreeMap::new();
        words(tokens, &mut all);
        for name in all.into_keys().filter(|word| word.starts_with(char::is_uppercase)) {
            self.defined.push(Defined { scope: scope.to_vec(), kind: "made", name, public: false });
        }
    }

    fn import(&mut self, scope: &[String], tree: &UseTree, before: &[String]) {
        let with = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
        let mut found = |path: Vec<String>, name: Option<String>, glob: bool| {
            for word in &path {
                *self.words.entry(word.clone()).or_default() += 1;
            }
            self.imports.push(Import { scope: scope.to_vec(), path, name, glob });
        };
        match tree {
            UseTree::Path(path) => self.import(scope, &path.tree, &with(path.ident.to_string())),
            UseTree::Name(name) if name.ident == "self" => found(before.to_vec(), before.last().cloned(), false),
            UseTree::Name(name) => found(with(name.ident.to_string()), Some(name.ident.to_string()), false),
            UseTree::Rename(renamed) => {
                let path = if renamed.ident == "self" { before.to_vec() } else { with(renamed.ident.to_string()) };
                found(path, Some(renamed.rename.to_string()).filter(|name| name != "_"), false);
            }
            UseTree::Glob(_) => found(before.to_vec(), None, true),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(scope, tree, before)),
        }
    }

    /// Paths in the tokens of an item, those in macros too, and imports in functions.
    fn walk(&mut self, scope: &[String], tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let colons = |at: usize| {
            let is = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
            is(at) && is(at + 1)
        };
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) => {
                    self.walk(scope, group.stream());
                    at += 1;
                }
                TokenTree::Ident(word) if word == "use" => {
                    let end = tokens.iter().skip(at).position(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == ';'));
                    let end = end.map_or(tokens.len(), |length| at + length + 1);
                    let stream: TokenStream = tokens.iter().take(end).skip(at).cloned().collect();
                    if let Ok(item) = syn::parse2::<syn::ItemUse>(stream) {
                        self.import(scope, &item.tree, &[]);
                    }
                    at = end;
                }
                TokenTree::Ident(word) => {
                    let absolute = at >= 2 && colons(at - 2);
                    let mut path = vec![word.to_string()];
                    at += 1;
                    while let (true, Some(TokenTree::Ident(next))) = (colons(at), tokens.get(at + 2)) {
                        path.push(next.to_string());
                        at += 3;
                    }
                    if path.len() > 1 && !absolute {
                        self.paths.push((scope.to_vec(), path));
                    }
                }
                TokenTree::Literal(_) | TokenTree::Punct(_) => at += 1,
            }
        }
    }

    fn count_tests(&mut self, item: &Item) {
        struct Tests<'a>(&'a mut (usize, usize));
        impl Visit<'_> for Tests<'_> {
            fn visit_item_fn(&mut self, item: &syn::ItemFn) {
                if item.attrs.iter().any(|attribute| attribute.path().segments.last().is_some_and(|last| last.ident == "test")) {
                    if item.sig.asyncness.is_some() { self.0.1 += 1 } else { self.0.0 += 1 }
                }
            }
        }
        Tests(&mut self.tests).visit_item(item);
    }
}

/// Reads functions, methods, docs and constants of one item.
struct Reader<'a> {
    code: &'a mut Code,
    /// The type whose methods are read.
    of: Option<String>,
}

impl Reader<'_> {
    fn function(&mut self, signature: &syn::Signature, end: usize) {
        let mut parameters = 0;
        let mut tuples = Vec::new();
        for input in &signature.inputs {
            let FnArg::Typed(input) = input else { continue };
            parameters += 1;
            if is_tuple(&input.pat, &input.ty) {
                tuples.push(input.pat.to_token_stream().to_string().replace(" ,", ","));
            }
        }
        let span = (signature.fn_token.span.start().line, end);
        self.code.functions.push(Function { name: signature.ident.to_string(), span, lines: 0, parameters, tuples });
    }

    fn method(&mut self, name: &syn::Ident, visibility: &Visibility) {
        if let (Some(of), Visibility::Public(_)) = (&self.of, visibility) {
            let name = format!("{of}::{name}");
            self.code.defined.push(Defined { scope: Vec::new(), kind: "fn", name, public: true });
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, end(&item.block));
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let of = match (&item.trait_, &*item.self_ty) {
            (None, Type::Path(path)) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        let before = std::mem::replace(&mut self.of, of);
        syn::visit::visit_item_impl(self, item);
        self.of = before;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.code.docs.extend(doc(&item.attrs));
        self.method(&item.sig.ident, &item.vis);
        self.function(&item.sig, end(&item.block));
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.code.docs.extend(doc(&item.attrs));
        self.code.constants.push(item.ident.to_string());
        self.method(&item.ident, &item.vis);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.code.docs.extend(doc(&item.attrs));
        let begin = item.sig.fn_token.span.start().line;
        self.function(&item.sig, item.default.as_ref().map_or(begin, end));
        syn::visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.code.constants.push(item.ident.to_string());
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.code.docs.extend(doc(&field.attrs));
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.code.docs.extend(doc(&variant.attrs));
        syn::visit::visit_variant(self, variant);
    }
}

/// The line on which a block ends.
fn end(block: &syn::Block) -> usize {
    block.brace_token.span.close().start().line
}

fn is_tuple(pattern: &Pat, kind: &Type) -> bool {
    let by_type = match kind {
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Reference(reference) => matches!(&*reference.elem, Type::Tuple(tuple) if !tuple.elems.is_empty()),
        _ => false,
    };
    by_type || matches!(pattern, Pat::Tuple(_))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`, alone or with a condition more, and `#[test]`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let name = attribute.path().segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        name == "test" || (name == "cfg" && has_test(attribute.meta.to_token_stream()))
    })
}

/// Whether the word `test` stands in a condition, other than in `not(test)`.
fn has_test(tokens: TokenStream) -> bool {
    let mut not = false;
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => {
            not = word == "not";
            word == "test"
        }
        TokenTree::Group(group) => !std::mem::take(&mut not) && has_test(group.stream()),
        TokenTree::Literal(_) | TokenTree::Punct(_) => false,
    })
}

/// The doc comment, its lines joined; `None` when there is none, or one that a macro puts together.
fn doc(attributes: &[Attribute]) -> Option<String> {
    let lines: Vec<_> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta.require_name_value().ok()?.value {
            syn::Expr::Lit(literal) => match &literal.lit {
                syn::Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    Some(lines.join(" ").trim().to_owned()).filter(|text| !text.is_empty())
}

fn words(tokens: TokenStream, found: &mut BTreeMap<String, usize>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                *found.entry(word.to_string()).or_default() += 1;
            }
            TokenTree::Group(group) => words(group.stream(), found),
            TokenTree::Literal(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// The lines on which tokens stand that are no docs.
fn code_lines(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => {
                let attribute = matches!(at.checked_sub(1).and_then(|at| tokens.get(at)), Some(TokenTree::Punct(p)) if p.as_char() == '#');
                let doc = attribute && matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(word)) if word == "doc");
                if !doc {
                    lines.insert(group.span_open().start().line);
                    lines.insert(group.span_close().start().line);
                    code_lines(group.stream(), lines);
                }
            }
            TokenTree::Punct(p) if p.as_char() == '#' => {}
            TokenTree::Literal(literal) => lines.extend(literal.span().start().line..=literal.span().end().line),
            TokenTree::Ident(_) | TokenTree::Punct(_) => {
                lines.insert(token.span().start().line);
            }
        }
    }
}

/// Blocks of comments that are no docs, and lines of docs.
fn comments(text: &str) -> (usize, usize) {
    let (mut blocks, mut docs, mut inside) = (0, 0, false);
    for line in text.lines().map(str::trim_start) {
        let doc = line.starts_with("///") || line.starts_with("//!");
        docs += usize::from(doc);
        let comment = line.starts_with("//") && !doc;
        // A comment behind code: two slashes that stand in no text.
        let behind = !comment && !doc && line.split_once(" // ").is_some_and(|(code, _)| code.matches('"').count() % 2 == 0);
        blocks += usize::from((comment && !inside) || behind);
        inside = comment;
    }
    (blocks, docs)
}
