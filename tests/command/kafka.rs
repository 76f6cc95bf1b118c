//! `streamgauge kafka`, as far as it needs no broker.

use super::streamgauge;

const NOWHERE: [&str; 5] = ["kafka", "--brokers", "127.0.0.1:9", "--topic", "clicks"];

#[test]
fn a_wrong_command_line_is_refused_before_a_broker_is_called() {
    for (arguments, words) in [
        (&[][..], &["a stream has no end", "--window 1m"][..]),
        (&["--window", "1m", "--from", "trim"], &["use latest, earliest, or a time"]),
        (&["--window", "1m", "--idle-after", "soon"], &["--idle-after"]),
        (&["--window", "1m", "--set", "no-equals"], &["use NAME=VALUE"]),
        (
            &["--window", "1m", "--set", "isolation.level=read_uncommitted"],
            &["isolation.level cannot be set"],
        ),
        (&["--window", "1m", "--config", "nowhere.properties"], &["--config nowhere.properties"]),
        (&["--window", "1m", "--merge", "--partials", "p"], &["cannot be used with"]),
        (&["--window", "1m", "--consumer-group", "hits"], &["--consumer-group needs --state"]),
        (
            &["--window", "1m", "--consumer-group", "hits", "--state", "/tmp"],
            &["--consumer-group needs --partials"],
        ),
        (
            &["--window", "1m", "--consumer-group", "hits", "--capture", "hits.jsonl"],
            &["'--consumer-group <NAME>' cannot be used with '--capture <FILE>'"],
        ),
    ] {
        streamgauge(&[&NOWHERE, arguments].concat()).failed(2, words);
    }
}
