//! docs/LAMBDA.md, the help of the command and the code name the same settings.

use std::collections::BTreeSet;

fn variables(path: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let ends = |c: char| !c.is_ascii_uppercase() && c != '_';
    let names = text
        .match_indices("STREAMGAUGE_")
        .map(|(at, _)| text[at..].split(ends).next().unwrap().to_owned());
    // `STREAMGAUGE_...` stands for all of them.
    names.filter(|name| !name.ends_with('_')).collect()
}

#[test]
fn settings_are_the_same_in_code_help_and_documents() {
    let mut code = variables("src/adapter/lambda/function.rs");
    code.extend(variables("src/adapter/seed.rs"));
    assert!(code.len() >= 9, "{code:?}");
    assert_eq!(variables("src/bin/streamgauge/lambda.rs"), code);
    assert_eq!(variables("docs/LAMBDA.md"), code);
}
