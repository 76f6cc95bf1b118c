//! Reference data in files: `--lookup` and the key `lookup`.

use super::{Folder, streamgauge};

const RECORDS: &str = "{\"c\":\"DE\"}\n{\"c\":\"FR\"}\n{\"c\":\"DE\"}\n";
const COUNTRIES: &str = "code,name\nDE,Germany\nFR,France\n";
const GROUP: [&str; 4] = ["--group", "lookup('countries', c, 'name') as name", "--output", "csv"];

#[test]
fn s227_the_command_reads_lookups_of_any_format_from_flags_files_and_statements() {
    let folder = Folder::new("lookup_formats");
    let file = folder.file("log", RECORDS);
    let expected = "name,revision,count\nFrance,0,1\nGermany,0,2\n";
    for (name, text) in [
        ("c.csv", COUNTRIES),
        ("c.TSV", "code\tname\nDE\tGermany\nFR\tFrance\n"),
        (
            "c.jsonl",
            "{\"code\":\"DE\",\"name\":\"Germany\"}\n{\"name\":\"France\",\"code\":\"FR\"}",
        ),
    ] {
        let lookup = format!("countries={}:code", folder.file(name, text));
        let run = [&["run", &file, "--lookup", &lookup], &GROUP[..]].concat();
        assert_eq!(streamgauge(&run).succeeded().stdout, expected, "{name}");
        let pipeline = folder.file("p.toml", format!("lookup = '{lookup}'\n"));
        let run = [&["run", &file, "--pipeline", &pipeline], &GROUP[..]].concat();
        assert_eq!(streamgauge(&run).succeeded().stdout, expected, "{name}");
        let statement = "SELECT lookup('countries', c, 'name') AS name, count(*) AS count FROM t \
                         GROUP BY lookup('countries', c, 'name')";
        let sql = ["sql", statement, &file, "--lookup", &lookup, "--output", "csv"];
        assert_eq!(streamgauge(&sql).succeeded().stdout, expected, "{name}");
        let explained = folder.file(
            "e.toml",
            format!("lookup = '{lookup}'\ngroup = \"lookup('countries', c, 'name')\"\n"),
        );
        let check = streamgauge(&["check", &explained]);
        assert!(check.succeeded().stdout.contains("lookup countries: 2 rows, "), "{check:?}");
    }
}

#[test]
fn s228_a_run_with_a_state_refuses_other_content() {
    let folder = Folder::new("lookup_state");
    let (file, state) = (folder.file("log", RECORDS), folder.path("state"));
    let table = folder.file("c.csv", COUNTRIES);
    let lookup = format!("countries={table}:code");
    let run = [&["run", &file, "--lookup", &lookup, "--state", &state], &GROUP[..]].concat();
    streamgauge(&run).succeeded();
    folder.file("log", [RECORDS, "{\"c\":\"FR\"}\n"].concat());
    let second = streamgauge(&run);
    let expected = "name,revision,retracted,count\nFrance,1,,2\nGermany,1,,2\n";
    assert_eq!(second.succeeded().stdout, expected);
    folder.file("c.csv", COUNTRIES.replace("France", "Frankreich"));
    streamgauge(&run).failed(1, &["the lookup \"countries\" has other content", "begin again"]);
    folder.file("c.csv", COUNTRIES);
    streamgauge(&run).succeeded();
}

#[test]
fn s229_errors_of_lookups_name_the_file_and_the_line() {
    let folder = Folder::new("lookup_errors");
    let file = folder.file("log", RECORDS);
    let refused = |lookup: &str, words: &[&str]| {
        streamgauge(&["run", &file, "--lookup", lookup]).failed(2, words);
    };
    let twice = folder.file("twice.csv", "code\nDE\nDE\n");
    let missing = folder.path("none.csv");
    refused(&format!("c={twice}:code"), &[&format!("{twice}: line 3: the key \"code\" is \"DE\"")]);
    refused(&format!("c={twice}:cod"), &["there is no field \"cod\"", "did you mean \"code\"?"]);
    refused(&format!("c={missing}:code"), &[&missing, "the lookup c cannot be read"]);
    refused(&format!("c={file}:code"), &["a lookup is CSV, TSV or JSON Lines"]);
    for wrong in [&twice, "c=:code", "=c.csv:code", "c=c.csv"] {
        refused(wrong, &["lookup: ", "is no lookup: write it as NAME=FILE:KEY"]);
    }
    // The answers never replace the reference data.
    let table = folder.file("c.csv", COUNTRIES);
    let lookup = format!("c={table}:code");
    streamgauge(&["run", &file, "--lookup", &lookup, "--dead-letters", &table])
        .failed(2, &["the file of settings"]);
    assert_eq!(folder.read("c.csv"), COUNTRIES);
}
