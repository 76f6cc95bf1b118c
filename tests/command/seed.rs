//! A secret seed, against keys that were chosen against the public seed.

use super::{Folder, Run, command, run_of, streamgauge};
use serde_json::Value;
use std::fs;
use streamgauge::Seed;
use streamgauge::hash::hash_bytes;

/// The secret, in digits that come in nothing else.
const SECRET: &str = "c0ffee5eed0badf0";

/// The words of a state or partial of another seed.
const REFUSED: [&str; 2] = ["another seed", "secret seed under which it was written"];

/// The register and the value that a HyperLogLog of `datasketches` makes of a key's hash: 26 bits
/// and the zeros of MurmurHash3 under the seed 9001.
fn register_and_value(hash: u64) -> (u64, u32) {
    let finish = |mut h: u64| {
        h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        h ^ (h >> 33)
    };
    let mixed = hash
        .wrapping_mul(0x87c3_7b91_1142_53d5)
        .rotate_left(31)
        .wrapping_mul(0x4cf5_ad43_2745_937f);
    let mut high = 9001u64 ^ 8;
    let mut low = (9001 ^ mixed ^ 8).wrapping_add(high);
    high = high.wrapping_add(low);
    (low, high) = (finish(low), finish(high));
    low = low.wrapping_add(high);
    high = high.wrapping_add(low);
    (low & ((1 << 26) - 1), high.leading_zeros().min(62) + 1)
}

/// Returns records of `count` different keys, each of which leaves the smallest value in its
/// register under the public seed, so that they count as a third.
fn crafted(count: usize) -> String {
    let keys = (1u64..).map(|n| format!("k{n}"));
    let crafted =
        keys.filter(|key| register_and_value(hash_bytes(Seed::PUBLIC, key.as_bytes())).1 == 1);
    crafted.take(count).map(|key| format!("{{\"u\":\"{key}\",\"ts\":1}}\n")).collect()
}

/// Runs with a secret in the environment.
fn with(variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    run_of(command(arguments).envs(variables.iter().copied()).output().unwrap())
}

/// The distinct count of the only row: lower bound, value, upper bound.
fn distinct(run: &Run) -> [u64; 3] {
    let rows = run.json();
    ["lower", "value", "upper"].map(|name| rows[0]["distinct(u)"][name].as_u64().unwrap())
}

/// Asserts that the secret is nowhere: neither its digits nor its bytes in either order.
fn hides_the_secret(bytes: &[u8], what: &str) {
    let seed = u64::from_str_radix(SECRET, 16).unwrap();
    let forms = [
        SECRET.as_bytes().to_vec(),
        seed.to_string().into_bytes(),
        seed.to_le_bytes().to_vec(),
        seed.to_be_bytes().to_vec(),
    ];
    for form in forms {
        assert!(!bytes.windows(form.len()).any(|part| part == form), "{what}");
    }
}

#[test]
fn s84_crafted_keys_are_counted_right_with_a_secret_seed() {
    const KEYS: usize = 60_000;
    let folder = Folder::new("seed_crafted");
    let (log, secret) =
        (folder.file("log.jsonl", crafted(KEYS)), folder.file("seed", format!("  {SECRET}\n")));
    let run = ["run", &log, "--agg", "distinct(u), count", "--output", "json", "--explain"];
    let [_, value, upper] = distinct(&streamgauge(&run));
    assert!(value < KEYS as u64 / 2 && upper < KEYS as u64, "the keys are no attack: {value}");
    let by_variable = with(&[("STREAMGAUGE_SEED", SECRET)], &run);
    let [lower, value, upper] = distinct(&by_variable);
    assert!(
        (lower..=upper).contains(&(KEYS as u64)) && value.abs_diff(KEYS as u64) < KEYS as u64 / 20,
        "{lower} {value} {upper}"
    );
    let by_file = with(&[("STREAMGAUGE_SEED_FILE", &secret)], &run);
    // The flag has priority over the environment.
    let by_flag =
        with(&[("STREAMGAUGE_SEED", "1")], &[&run[..], &["--seed-file", &secret]].concat());
    let top = [
        "top",
        &log,
        "--by",
        "u",
        "--agg",
        "distinct(u)",
        "--output",
        "json",
        "--seed-file",
        &secret,
    ];
    let top = streamgauge(&top);
    assert_eq!(distinct(&top), [lower, value, upper]);
    assert_eq!((&by_file.stdout, &by_flag.stdout), (&by_variable.stdout, &by_variable.stdout));
    for run in [by_variable, by_file, by_flag, top] {
        hides_the_secret(run.stdout.as_bytes(), &run.stdout);
        hides_the_secret(run.stderr.as_bytes(), &run.stderr);
    }
}

#[test]
fn s84_s50_state_and_partials_of_another_seed_are_refused_by_name() {
    let folder = Folder::new("seed_state");
    let (log, secret) = (folder.file("log.jsonl", crafted(100)), folder.file("seed", SECRET));
    let (state, partials) = (folder.path("state"), folder.path("partials"));
    let pipeline = [
        "--time",
        "ts",
        "--window",
        "1s",
        "--agg",
        "count, distinct(u), top(3, u, 10)",
        "--output",
        "json",
    ];
    let keep = [&["run", &log, "--state", &state][..], &pipeline].concat();
    let seeded = [&keep[..], &["--seed-file", &secret]].concat();
    streamgauge(&seeded).succeeded();
    let kept = |place: &str| {
        let files = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).map(|path| fs::read(path).unwrap()).collect::<Vec<_>>()
    };
    let before = kept(&state);
    streamgauge(&keep).failed(1, &REFUSED);
    with(&[("STREAMGAUGE_SEED", "77")], &keep).failed(1, &REFUSED);
    assert_eq!(kept(&state), before, "a refused state is as it was");
    let inspect = ["inspect", &folder.path("state/run.state")];
    hides_the_secret(streamgauge(&inspect).succeeded().stdout.as_bytes(), "what inspect tells");
    streamgauge(&[&inspect[..], &pipeline[..6]].concat()).failed(1, &REFUSED);
    streamgauge(&[&inspect[..], &pipeline[..6], &["--seed-file", &secret]].concat()).succeeded();
    streamgauge(&seeded).succeeded();
    // Partials of two sources.
    for source in ["a", "b"] {
        let write = [
            &["run", &log, "--partials", &partials, "--source", source, "--seed-file", &secret][..],
            &pipeline,
        ]
        .concat();
        streamgauge(&write).succeeded();
    }
    let merge = [&["merge", &partials][..], &pipeline].concat();
    streamgauge(&merge).failed(1, &REFUSED);
    with(&[("STREAMGAUGE_SEED", "77")], &merge).failed(1, &REFUSED);
    let merged = streamgauge(&[&merge[..], &["--seed-file", &secret]].concat()).json();
    assert_eq!(
        (&merged[0]["count"], &merged[0]["distinct(u)"]["value"]),
        (&Value::from(200), &Value::from(100))
    );
    let files = [kept(&state), kept(&partials)].concat();
    assert!(files.len() >= 3);
    files.iter().for_each(|file| hides_the_secret(file, "a file of state or a partial"));
}

#[test]
fn an_invalid_seed_ends_the_run_and_is_not_shown() {
    let folder = Folder::new("seed_wrong");
    let (log, wrong) =
        (folder.file("log.jsonl", "{\"u\":1}\n"), folder.file("seed", "my-secret-words\n"));
    let run = ["run", &log];
    let missing = folder.path("missing");
    for (variables, words) in [
        (
            &[("STREAMGAUGE_SEED", "my-secret-words")][..],
            &["STREAMGAUGE_SEED", "16 hexadecimal digits"][..],
        ),
        (&[("STREAMGAUGE_SEED", "")], &["STREAMGAUGE_SEED is set, but empty"]),
        (&[("STREAMGAUGE_SEED_FILE", "")], &["STREAMGAUGE_SEED_FILE is set, but empty"]),
        (
            &[("STREAMGAUGE_SEED_FILE", &wrong)],
            &["STREAMGAUGE_SEED_FILE", &wrong, "16 hexadecimal digits"],
        ),
        (
            &[("STREAMGAUGE_SEED_FILE", &missing)],
            &["STREAMGAUGE_SEED_FILE", &missing, "cannot be read"],
        ),
        (&[("STREAMGAUGE_SEED", SECRET), ("STREAMGAUGE_SEED_FILE", &wrong)], &["are both set"]),
    ] {
        let ended = with(variables, &run);
        ended.failed(2, words);
        assert!(
            !ended.stderr.contains("secret-words") && !ended.stderr.contains(SECRET),
            "{}",
            ended.stderr
        );
        #[cfg(feature = "lambda-runtime")]
        {
            let function = with(variables, &["lambda"]);
            assert!(
                function.code != Some(0) && !function.says(words).stderr.contains("secret-words"),
                "{}",
                function.stderr
            );
        }
    }
    streamgauge(&["run", &log, "--seed-file", &wrong])
        .failed(2, &["--seed-file", &wrong, "16 hexadecimal digits"]);
    streamgauge(&["run", &log, "--seed-file", &missing])
        .failed(2, &["--seed-file", &missing, "cannot be read"]);
}
