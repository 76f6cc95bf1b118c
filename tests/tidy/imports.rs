//! The imports between files, and circles among them.

use super::source::SourceFile;
use std::collections::{BTreeMap, BTreeSet};

/// A path of modules below the crate's root, such as `row::fields`.
type Module = Vec<String>;

/// The files of the library by the module that each is.
struct Library<'a> {
    files: BTreeMap<Module, &'a SourceFile>,
    /// The modules that a name of a `pub use` stands for, by the module that has it and the name.
    exports: BTreeMap<(Module, String), Module>,
}

/// The circles of imports among the files of the library, tests aside: the paths of each, in order.
pub(crate) fn circles(sources: &[SourceFile]) -> Vec<String> {
    let library = Library::of(sources);
    let imports: BTreeMap<&Module, BTreeSet<Module>> = library
        .files
        .iter()
        .map(|(module, file)| (module, library.imported_by(module, &code(file))))
        .collect();
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        imports.keys().map(|module| (*module, reached_from(module, &imports))).collect();
    let mut found = BTreeSet::new();
    for (module, others) in &reached {
        let circle: Vec<&str> = others
            .iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(*module)))
            .map(|other| library.files[other].path.as_str())
            .collect();
        if circle.len() > 1 {
            found.insert(circle.join(", "));
        }
    }
    found.into_iter().collect()
}

fn code(file: &SourceFile) -> String {
    file.code_lines().join("\n")
}

/// The files that are imported from a file, directly or over others.
fn reached_from(start: &Module, imports: &BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![start];
    while let Some(module) = waiting.pop() {
        for next in imports.get(module).into_iter().flatten() {
            if reached.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    reached
}

impl<'a> Library<'a> {
    fn of(sources: &'a [SourceFile]) -> Self {
        let files: BTreeMap<Module, &SourceFile> = sources
            .iter()
            .filter(|file| !file.path.starts_with("src/bin/"))
            .map(|file| (module_of(&file.path), file))
            .collect();
        let mut exports = BTreeMap::new();
        for (module, file) in &files {
            for (is_public, path) in uses(&code(file)) {
                if let (true, Some(name)) = (is_public, path.last()) {
                    exports.insert((module.clone(), name.clone()), absolute(module, &path));
                }
            }
        }
        Library { files, exports }
    }

    /// The files that hold what a file imports. What a module only hands on counts for the file
    /// that it comes from, and handing on is no import.
    fn imported_by(&self, module: &Module, code: &str) -> BTreeSet<Module> {
        uses(code)
            .into_iter()
            .filter(|(is_public, _)| !is_public)
            .filter_map(|(_, path)| self.home(&absolute(module, &path)))
            .filter(|home| home != module)
            .collect()
    }

    /// The module of the file in which a path ends.
    fn home(&self, path: &Module) -> Option<Module> {
        let mut path = path.clone();
        // Names are handed on over a few modules at most.
        for _ in 0..8 {
            let known =
                (0..=path.len()).rev().find(|end| self.files.contains_key(&path[..*end]))?;
            let module = path[..known].to_vec();
            let Some(name) = path.get(known) else { return Some(module) };
            match self.exports.get(&(module.clone(), name.clone())) {
                Some(handed_on) if *handed_on != path => path.clone_from(handed_on),
                _ => return (!module.is_empty()).then_some(module),
            }
        }
        None
    }
}

/// `src/row/fields.rs` is `row::fields`, `src/row/mod.rs` is `row`, `src/lib.rs` is the root.
fn module_of(path: &str) -> Module {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut names: Module = inside.split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|name| name == "mod" || name == "lib") {
        names.pop();
    }
    names
}

/// A path of an import, from the crate's root.
fn absolute(module: &Module, path: &[String]) -> Module {
    let (mut base, mut rest) = (module.clone(), path);
    match rest.first().map(String::as_str) {
        Some("crate") => (base, rest) = (Module::new(), &rest[1..]),
        Some("self") => rest = &rest[1..],
        _ => {}
    }
    while rest.first().is_some_and(|name| name == "super") {
        base.pop();
        rest = &rest[1..];
    }
    base.extend(rest.iter().filter(|name| *name != "self").cloned());
    base
}

/// The imports of a file: whether the name is handed on, and the path.
fn uses(code: &str) -> Vec<(bool, Vec<String>)> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let Some(at) = statement.rfind("use ") else { continue };
        let (before, tree) = (&statement[..at], &statement[at + 4..]);
        let visibility = before.rsplit('\n').next().unwrap_or_default().trim();
        if !visibility.is_empty() && !visibility.starts_with("pub") {
            continue;
        }
        let mut paths = Vec::new();
        unfold(&tree.split_whitespace().collect::<Vec<_>>().join(" "), &[], &mut paths);
        found.extend(paths.into_iter().map(|path| (visibility.starts_with("pub"), path)));
    }
    found
}

/// The paths of a tree of imports, such as `a::{b, c::d as e}`.
fn unfold(tree: &str, before: &[String], into: &mut Vec<Vec<String>>) {
    let (path, list) = match tree.split_once('{') {
        Some((path, list)) => (path, Some(list.strip_suffix('}').unwrap_or(list))),
        None => (tree, None),
    };
    let path = path.split(" as ").next().unwrap_or_default();
    let names = path.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let all: Vec<String> = before.iter().cloned().chain(names).collect();
    match list {
        None if all.is_empty() => {}
        None => into.push(all),
        Some(list) => {
            for item in items(list) {
                unfold(item.trim(), &all, into);
            }
        }
    }
}

/// The items of a braced list.
fn items(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&list[start..]);
    found.retain(|item| !item.trim().is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_circle_is_found_through_re_exports() {
        let sources = [
            file("src/a/mod.rs", "mod x;\nmod y;\npub use x::X;\npub use y::{Y, Z as W};\n"),
            file("src/a/x.rs", "use super::Y;\npub struct X(Y);\n"),
            file("src/a/y.rs", "use crate::b::{self, B};\npub struct Y(B);\n"),
            file("src/b.rs", "use crate::a::X;\npub struct B(X);\n"),
            file("src/c.rs", "use crate::a::{X, Y};\nuse crate::b::B;\n"),
        ];
        assert_eq!(circles(&sources), ["src/a/x.rs, src/a/y.rs, src/b.rs"]);
    }

    #[test]
    fn imports_downwards_are_not_circles() {
        let sources = [
            file("src/a/mod.rs", "mod x;\npub use x::X;\n"),
            file(
                "src/a/x.rs",
                "use crate::b::B;\n#[cfg(test)]\nmod tests {\n    use crate::c::C;\n}\n",
            ),
            file("src/b.rs", "pub struct B;\n"),
            file("src/c.rs", "use crate::a::X;\npub struct C(X);\n"),
        ];
        assert!(circles(&sources).is_empty());
    }
}
