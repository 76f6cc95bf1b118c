//! Checks of the architecture: which room may import which, what the core may not use, how long a
//! function may be, and that every promise of docs/SEMANTICS.md has a test. A check that fails
//! prints all places at once.

mod imports;
mod public_api;
mod source;

use imports::circles;
use source::{SourceFile, files_below, functions, root};
use std::collections::BTreeSet;
use std::fs;

/// The rooms from bottom to top. A file may import from its own room and from the rooms before it.
///
/// The levels only make the list readable: inside a level the order counts, too.
const ROOMS: &[&[&str]] = &[
    &[
        "error",
        "limits",
        "time",
        "hash",
        "key",
        "codec",
        "sorted_keys",
        "durable",
        "record",
        "nearest",
    ],
    &["sketch", "aggregate"],
    &["window"],
    &["snapshot", "engine", "merger", "pipeline"],
    &["row", "formats", "query", "rows"],
    &["parallel", "store", "adapter"],
    &["bin"],
];

/// Folders of `src/adapter/` that every adapter may import.
const SHARED_BY_ADAPTERS: &[&str] =
    &["brokers", "capture", "kinesis_records", "output", "record_pipeline", "transport", "worker"];

/// The rooms that a format may import: rows and the ground, but not the language.
const FORMATS_IMPORT: &[&str] = &["error", "limits", "row"];

/// Rooms that may open files, start threads and read the clock. All other rooms are sans-I/O.
const ROOMS_WITH_IO: &[&str] = &["parallel", "store", "adapter", "bin"];

/// Words that use the outside world.
const IO_WORDS: &[&str] = &[
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "File::open",
    "stdin()",
    "stdout()",
    "println!",
    "eprintln!",
    "log::",
    "tracing::",
];

/// Modules of the standard library that use the outside world.
const IO_MODULES: &[&str] = &["fs", "net", "thread", "process", "env"];

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 600;
const PARAMETERS_MAX: usize = 4;
const NESTING_MAX: usize = 3;

/// Functions that are over a budget. The list may only become shorter.
const OVER_BUDGET: &[&str] = &[];

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().flat_map(|level| level.iter()).position(|name| *name == room)
}

/// Returns the room of a file: `engine` for `src/engine/stats.rs`, `error` for `src/error.rs`.
/// Returns `None` for `src/lib.rs`.
fn room(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let name = inside.split('/').next()?;
    let name = name.strip_suffix(".rs").unwrap_or(name);
    (name != "lib").then_some(name)
}

fn sources() -> Vec<SourceFile> {
    files_below("src", &[".rs"])
}

fn fail_on(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}\n  {}\n", found.join("\n  "));
}

/// Returns the names that follow `crate::` (or, in the command, `streamgauge::`), including names
/// in braces.
fn imported(code: &str, root_name: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(root_name) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
            && before != Some('$')
        {
            continue;
        }
        let after = &code[at + root_name.len()..];
        match after.strip_prefix('{') {
            Some(list) => names.extend(top_level_names(list)),
            None => names.extend(first_word(after)),
        }
    }
    names
}

fn first_word(text: &str) -> Option<String> {
    let word: String =
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// Returns the first word of each item of a braced import list.
fn top_level_names(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut items = vec![String::new()];
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
        match items.last_mut() {
            Some(item) if c != ',' || depth > 0 => item.push(c),
            _ => items.push(String::new()),
        }
    }
    items.iter().filter_map(|item| first_word(item)).collect()
}

#[test]
fn every_room_has_a_level_and_every_level_has_rooms() {
    let sources = sources();
    let rooms: BTreeSet<&str> = sources.iter().filter_map(|file| room(&file.path)).collect();
    let known: BTreeSet<&str> = ROOMS.iter().copied().flatten().copied().collect();
    let found = rooms.symmetric_difference(&known).map(|name| name.to_string()).collect();
    fail_on(found, "rooms in src/ and in ROOMS of tests/tidy differ:");
}

#[test]
fn imports_point_downwards() {
    let mut found = Vec::new();
    for file in sources() {
        let Some(own) = room(&file.path) else { continue };
        let code = file.code_lines().join("\n");
        let root_name = if own == "bin" { "streamgauge::" } else { "crate::" };
        for name in imported(&code, root_name) {
            match rank(&name) {
                Some(level) if Some(level) > rank(own) => {
                    found.push(format!("{} ({own}) imports {name}, which is above it", file.path))
                }
                // Only the command uses the re-exports of the crate root.
                None if own != "bin" && !is_macro(&code, &name) => {
                    found.push(format!(
                        "{} imports crate::{name}: name the room it lives in",
                        file.path
                    ));
                }
                _ => {}
            }
        }
    }
    fail_on(found, "imports point downwards only:");
}

fn is_macro(code: &str, name: &str) -> bool {
    code.contains(&format!("crate::{name}!"))
}

#[test]
fn formats_import_rows_but_not_the_language() {
    let mut found = Vec::new();
    for file in sources() {
        if room(&file.path) != Some("formats") {
            continue;
        }
        let names = imported(&file.code_lines().join("\n"), "crate::");
        let others = names.iter().filter(|name| {
            *name != "formats" && rank(name).is_some() && !FORMATS_IMPORT.contains(&name.as_str())
        });
        found.extend(others.map(|name| format!("{} imports {name}", file.path)));
    }
    fail_on(found, "a format imports rows and the ground alone:");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    fail_on(
        circles(&sources()),
        "files import each other in a circle; move the part that both need into a file of its own:",
    );
}

#[test]
fn an_adapter_never_imports_another() {
    let mut found = Vec::new();
    for file in sources() {
        let Some(inside) = file.path.strip_prefix("src/adapter/") else { continue };
        let own = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        let code = file.code_lines().join("\n");
        for other in imported(&code, "adapter::") {
            let shared = SHARED_BY_ADAPTERS.contains(&other.as_str())
                || !root().join(format!("src/adapter/{other}")).exists();
            if own != "mod" && other != own && !shared {
                found.push(format!("{}: adapter {own} imports adapter {other}", file.path));
            }
        }
    }
    fail_on(found, "an adapter must not import another one:");
}

#[test]
fn the_core_touches_no_clock_no_file_and_no_thread() {
    let mut found = Vec::new();
    for file in sources() {
        if room(&file.path).is_some_and(|name| ROOMS_WITH_IO.contains(&name)) {
            continue;
        }
        let lines = file.code_lines();
        let modules = imported(&lines.join("\n"), "std::")
            .into_iter()
            .filter(|name| IO_MODULES.contains(&name.as_str()));
        found.extend(modules.map(|name| format!("{}: std::{name}", file.path)));
        for (index, line) in lines.iter().enumerate() {
            let words = IO_WORDS.iter().filter(|word| contains_path(line, word));
            found.extend(words.map(|word| format!("{}:{}: {word}", file.path, index + 1)));
        }
    }
    fail_on(
        found,
        "the core is sans-I/O; only adapters, stores, the parallel driver and the command reach \
         outside:",
    );
}

/// Returns true if the line contains the word, not as the end of a longer one: `dialog::` does not
/// contain `log::`.
fn contains_path(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[test]
fn functions_and_files_keep_to_their_budgets() {
    let (mut found, mut excused) = (Vec::new(), BTreeSet::new());
    for file in sources() {
        let lines = file.code_lines();
        let count = lines.iter().filter(|line| !line.trim().is_empty()).count();
        if count > FILE_LINES_MAX {
            found.push(format!(
                "{}: {count} lines of code before the tests, over {FILE_LINES_MAX}",
                file.path
            ));
        }
        for function in functions(&lines) {
            let place = format!("{}:{} {}", file.path, function.line, function.name);
            let checks = [
                ("lines", function.lines, FUNCTION_LINES_MAX),
                ("parameters", function.parameters, PARAMETERS_MAX),
                ("levels of nesting", function.nesting, NESTING_MAX),
            ];
            let over: Vec<_> = checks.into_iter().filter(|(_, value, most)| value > most).collect();
            let name = format!("{} {}", file.path, function.name);
            if !over.is_empty() && OVER_BUDGET.contains(&name.as_str()) {
                excused.insert(name);
                continue;
            }
            found.extend(
                over.into_iter()
                    .map(|(what, value, most)| format!("{place}: {value} {what}, over {most}")),
            );
        }
    }
    let mended = OVER_BUDGET.iter().filter(|name| !excused.contains(**name));
    found.extend(
        mended.map(|name| format!("{name} keeps to its budgets now: take it out of OVER_BUDGET")),
    );
    fail_on(found, "budgets of ARCHITECTURE.md: split it along a concept:");
}

#[test]
fn no_test_drops_the_value_of_matches() {
    let mut found = Vec::new();
    for file in sources()
        .into_iter()
        .chain(files_below("tests", &[".rs"]))
        .chain(files_below("examples", &[".rs"]))
    {
        for (index, line) in file.text.lines().enumerate() {
            if line.trim_start().starts_with("matches!(") && line.trim_end().ends_with(';') {
                found.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    fail_on(found, "a line that is only `matches!(..);` asserts nothing:");
}

#[test]
fn an_ignored_test_says_why() {
    let mut found = Vec::new();
    for file in sources()
        .into_iter()
        .chain(files_below("tests", &[".rs"]))
        .chain(files_below("benches", &[".rs"]))
    {
        for (index, line) in file.text.lines().enumerate() {
            if line.trim() == "#[ignore]" {
                found.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    fail_on(found, "an ignored test has a reason, #[ignore = \"...\"]:");
}

#[test]
fn exceptions_to_lints_have_a_reason() {
    let mut found = Vec::new();
    for file in sources() {
        for (index, line) in file.text.lines().enumerate() {
            let text = line.trim_start();
            let allowed = text.starts_with("#[allow(") || text.starts_with("#![allow(");
            let unexplained =
                text.starts_with("#[expect(") && text.ends_with(")]") && !text.contains("reason");
            if allowed || unexplained {
                found.push(format!("{}:{}: {text}", file.path, index + 1));
            }
        }
    }
    fail_on(found, "an exception to a lint is #[expect(lint, reason = \"...\")]:");
}

#[test]
fn nothing_is_left_for_later_and_no_machine_is_named() {
    // In two parts each, so that this file does not find itself.
    let words = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X:"),
        ("for ", "now"),
        ("place", "holder"),
        ("simpli", "fied"),
        ("unimple", "mented!("),
        ("/ho", "me/"),
        ("/Us", "ers/"),
        ("/ro", "ot/"),
        ("../sha", "red"),
        (".lib", "rary"),
        ("index.cra", "tes.io"),
        ("static.cra", "tes.io"),
        ("pythonho", "sted.org"),
    ];
    let words: Vec<String> = words.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let mut found = Vec::new();
    for file in project_files() {
        for (index, line) in file.text.lines().enumerate() {
            let here = words.iter().filter(|word| line.contains(word.as_str()));
            found.extend(here.map(|word| format!("{}:{}: {word}", file.path, index + 1)));
        }
    }
    fail_on(found, "nothing committed is left for later, or names a machine:");
}

/// Returns all files that are written by hand, without data, licences and lock files.
fn project_files() -> Vec<SourceFile> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "docs", "scripts", "fuzz", ".ci"] {
        files.extend(files_below(
            folder,
            &[".rs", ".md", ".toml", ".sh", ".py", "/test", "/run", ".yml"],
        ));
    }
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "RELEASE.md",
        "SECURITY.md",
        "Cargo.toml",
        "deny.toml",
        "clippy.toml",
        "rustfmt.toml",
    ] {
        let text =
            fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        files.push(SourceFile { path: name.to_owned(), text });
    }
    files
}

#[test]
fn every_promise_has_a_test() {
    let semantics = fs::read_to_string(root().join("docs/SEMANTICS.md")).unwrap();
    let promises: Vec<&str> = semantics
        .lines()
        .filter_map(|line| line.strip_prefix("**S")?.split_once("**"))
        .map(|(n, _)| n)
        .collect();
    assert!(
        promises.len() > 20,
        "docs/SEMANTICS.md has {} promises: is the format `**S1** ...`?",
        promises.len()
    );
    let unique: BTreeSet<&str> = promises.iter().copied().collect();
    assert_eq!(promises.len(), unique.len(), "a number names one promise");
    let tested = numbers_in_tests();
    let untested =
        promises.iter().filter(|n| !tested.contains(**n)).map(|n| format!("S{n}")).collect();
    fail_on(
        untested,
        "promises of docs/SEMANTICS.md without a test whose name has their number (fn s7_...):",
    );
}

#[test]
fn every_edge_rule_has_a_test() {
    let semantics = fs::read_to_string(root().join("docs/SEMANTICS.md")).unwrap();
    let rules: Vec<String> = semantics
        .lines()
        .filter_map(|line| line.strip_prefix("| E")?.split_once(' '))
        .map(|(n, _)| n.to_owned())
        .collect();
    assert_eq!(
        rules,
        (1..=12).map(|n| n.to_string()).collect::<Vec<_>>(),
        "the twelve rules of docs/SEMANTICS.md"
    );
    let tests: String =
        files_below("tests", &[".rs"]).iter().map(|file| file.text.as_str()).collect();
    let units: String =
        sources().iter().map(|file| file.text[file.before_tests().len()..].to_owned()).collect();
    let untested = rules.into_iter().filter(|n| {
        !tests.contains(&format!("fn edge_{n}_")) && !units.contains(&format!("fn edge_{n}_"))
    });
    fail_on(
        untested.map(|n| format!("E{n}")).collect(),
        "edge rules without a test fn edge_N_...:",
    );
}

/// Returns the numbers in the names of functions in tests: 7 and 12 of `s7_s12_...`.
fn numbers_in_tests() -> BTreeSet<String> {
    let unit_tests =
        sources().into_iter().map(|file| file.text[file.before_tests().len()..].to_owned());
    let tests = files_below("tests", &[".rs"]).into_iter().map(|file| file.text);
    let mut numbers = BTreeSet::new();
    for text in tests.chain(unit_tests) {
        let names = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
        let words = names.flat_map(|name| name.split('(').next().unwrap_or_default().split('_'));
        numbers.extend(words.filter_map(|word| digits_after(word, 's')));
    }
    numbers
}

fn digits_after(word: &str, letter: char) -> Option<String> {
    let digits = word.strip_prefix(letter)?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.to_owned())
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut found = Vec::new();
    for file in project_files().iter().filter(|file| file.path.ends_with(".md")) {
        let folder = root().join(&file.path).parent().unwrap().to_owned();
        for link in file
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
            .map(|(link, _)| link)
        {
            let path = link.split('#').next().unwrap_or_default();
            let outside = link.contains("://") || path.is_empty() || link.contains(' ');
            if !outside && !folder.join(path).exists() {
                found.push(format!("{}: {link}", file.path));
            }
        }
    }
    fail_on(found, "a link in a document has no target:");
}

#[test]
fn the_checks_find_violations() {
    let names = |code: &str| imported(code, "crate::").into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(names("use crate::{a::b, c::{d, e}, f};\nlet x = crate::g::h();"), "a c f g");
    assert_eq!(room("src/engine/stats.rs"), Some("engine"));
    assert_eq!(room("src/error.rs"), Some("error"));
    assert!(rank("engine") > rank("window") && rank("bin") > rank("adapter"));
    assert!(contains_path("std::fs::read", "std::fs") && !contains_path("dialog::open", "log::"));
    assert_eq!(digits_after("s12", 's').as_deref(), Some("12"));
}

/// Features that are not part of `full`. `kafka-tls` compiles OpenSSL, which takes minutes.
const NOT_IN_FULL: [&str; 3] = ["default", "full", "kafka-tls"];

#[test]
fn the_feature_full_names_the_others() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, features) = manifest.split_once("[features]").unwrap();
    let (features, _) = features.split_once("[dependencies]").unwrap();
    let lines = || features.lines().filter_map(|line| line.split_once(" = ["));
    let (_, full) = lines().find(|(name, _)| *name == "full").unwrap();
    let missing = lines()
        .map(|(name, _)| name)
        .filter(|name| !NOT_IN_FULL.contains(name) && !full.contains(&format!("\"{name}\"")))
        .map(str::to_owned);
    fail_on(missing.collect(), "the feature `full` of Cargo.toml must name:");
    let scripts = files_below("scripts", &[""]).into_iter();
    let others = scripts.filter(|file| file.text.contains("--all-features"));
    fail_on(others.map(|file| file.path).collect(), "scripts use --features full, which is fast:");
}
