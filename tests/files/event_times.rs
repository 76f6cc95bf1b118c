//! Event times that are computed, against the same times in a field.

use super::queries::{OwnFile, QUESTIONS, run};
use proptest::prelude::*;
use streamgauge::Timestamp;

/// 2023-11-14T22:13:20Z.
const START: i64 = 1_700_000_000_000;

/// The event time in other forms than the field `ts`: its keys, and the further entries of `let`.
const COMPUTED: [(&str, &str); 7] = [
    ("time = 's * 1000 + ms'\ntime_format = 'ms'", ""),
    ("time = 'epoch_ms(s * 1000 + ms)'", ""),
    ("time = 'at'", "\"at = to_timestamp(s) + ms * interval '1' millisecond\""),
    ("time = \"d || ' ' || h\"", ""),
    ("time = \"json_extract(raw, '$.t')\"\ntime_format = 'ms'", ""),
    ("time = 'at'\ntime_format = 'ms'", "'at = ts'"),
    ("time = \"cast(d || 'T' || h as timestamp)\"", ""),
];

/// Returns a line with one time in several forms. A time that cannot be read cannot be read in any.
fn line(millis: i64, (bad, k, n): (&str, &str, &str)) -> String {
    let text = Timestamp::from_millis(millis).to_string();
    let (date, hour) = text.split_once('T').unwrap();
    let (seconds, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    match bad {
        "" => format!(
            "{millis},{seconds},{rest},{date},{hour},\"{{\"\"t\"\":{millis}}}\",{k},{n},s\n"
        ),
        "x" => format!("x{millis},x,{rest},{date},x{hour},oops,{k},{n},s\n"),
        _ => format!(",,{rest},,{hour},{{}},{k},{n},s\n"),
    }
}

fn records() -> impl Strategy<Value = String> {
    let field = |values: &'static [&'static str]| prop::sample::select(values);
    let bad = field(&["", "", "", "", "", "", "", "x", "null"]);
    let record = (0..60i64, bad, field(&["DE", "FR", "NA"]), field(&["1", "7", "40", "NA", "abc"]));
    prop::collection::vec(record, 1..120).prop_map(|records| {
        let lines = records.into_iter().enumerate();
        let lines = lines.map(|(index, (jitter, bad, k, n))| {
            line(START + index as i64 * 100 + jitter * 40, (bad, k, n))
        });
        std::iter::once("ts,s,ms,d,h,raw,k,n,s2\n".to_owned()).chain(lines).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn s251_a_computed_event_time_is_one_as_any(
        csv in records(),
        (computed, extra) in prop::sample::select(&COMPUTED[..]),
        chosen in prop::collection::vec(0..QUESTIONS.len(), 1..3),
        options in prop::sample::select(&[
            "",
            "max_delay = '400ms'\n",
            "max_delay = '400ms'\nsince = '2023-11-14T22:13:21Z'\nuntil = '2023-11-14T22:13:26.5Z'\n",
        ][..]),
        (threads, block_bytes) in (1..4usize, 60..400usize),
    ) {
        let file = OwnFile::new(csv.as_bytes());
        let tables = chosen.iter().enumerate().map(|(index, question)| {
            let question = QUESTIONS[*question].replace("(s", "(k").replace("\"s ", "\"k ");
            let question = question.replace("k, s'", "k'");
            match chosen.len() {
                1 => question,
                _ => format!("[[query]]\nname = 'q{index}'\n{question}\n"),
            }
        });
        let tables = tables.collect::<String>();
        let plain = format!(
            "time = 'ts'\ntime_format = 'ms'\nlet = ['double = n * 2']\n{options}{tables}"
        );
        let computed =
            format!("{computed}\nlet = ['double = n * 2', {extra}]\n{options}{tables}");
        let (expected, stats) = run(&plain, &file, 1, 1 << 16);
        for (threads, block_bytes) in [(1, 1 << 16), (threads, block_bytes)] {
            let (told, told_stats) = run(&computed, &file, threads, block_bytes);
            prop_assert_eq!(told.lines(), expected.lines(), "{}", computed);
            prop_assert!(told.dead.keys().eq(expected.dead.keys()), "{:?} {:?}", told.dead, expected.dead);
            prop_assert_eq!(&told.late, &expected.late, "{}", computed);
            prop_assert_eq!(&told_stats, &stats);
        }
    }
}
