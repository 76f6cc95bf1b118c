//! The functions of docs/LANGUAGE.md: those that exist, each with an example that holds.

use super::answer_of;
use streamgauge::Limits;
use streamgauge::rows::{CompileOptions, Lookup};

/// A function as the document has it.
struct Documented {
    written: String,
    help: String,
    example: String,
    value: String,
}

fn documented() -> Vec<Documented> {
    let text = include_str!("../../docs/LANGUAGE.md");
    let (_, section) = text.split_once("\n## Functions\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let items = section.split("\n- ").skip(1).map(|item| {
        let item = item.split("\n\n").next().unwrap();
        let line = item.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
        let (written, rest) = line.strip_prefix('`').unwrap().split_once("`: ").unwrap();
        let (help, example) = rest.split_once(" `").unwrap();
        let (example, value) = example.split_once("` is `").unwrap();
        Documented {
            written: written.to_owned(),
            help: help.to_owned(),
            example: example.to_owned(),
            value: value.trim_end_matches("`.").to_owned(),
        }
    });
    items.collect()
}

#[test]
fn s146_every_function_is_documented_with_an_example_that_holds() {
    let documented = documented();
    let known: Vec<(String, String)> =
        streamgauge::rows::functions().map(|(written, help)| (written, help.to_owned())).collect();
    let listed: Vec<(String, String)> =
        documented.iter().map(|of| (of.written.clone(), of.help.clone())).collect();
    assert_eq!(listed, known);
    // The reference data of the examples.
    let countries = include_bytes!("../../examples/data/countries.csv");
    let countries = Lookup::from_csv("countries", "code", countries, &Limits::default()).unwrap();
    let mut options = CompileOptions::default();
    options.lookups.push(countries);
    for Documented { example, value, .. } in documented {
        let toml = format!("group = '''{example} as g'''\n");
        let row: serde_json::Value =
            serde_json::from_str(&answer_of(&toml, &options, &["{}"])[0]).unwrap();
        assert_eq!(row["group"]["g"].to_string(), value, "{example}");
    }
}
