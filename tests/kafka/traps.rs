//! What Kafka Streams documents as traps, with the right answers.

use super::topic::Topic;
use super::{Application, PIPELINE, at};
use std::time::Duration;
use streamgauge::adapter::worker::StreamStart;

/// Puts records, reads them, and returns the counts of the windows that are out.
fn counts(
    application: &mut Application,
    topic: &Topic,
    records: &[(usize, i64)],
) -> Vec<(i64, u64)> {
    let mut reader = application.start(StreamStart::TrimHorizon).unwrap();
    for (partition, second) in records {
        topic.put(*partition, &at(*second));
        application.read(&mut reader).unwrap();
    }
    application.counts()
}

/// There the last window is emitted when a record of a later window comes, which may be never.
#[test]
fn s325_the_clock_completes_the_last_window() {
    let topic = Topic::new(2);
    let mut application = Application::new(&topic);
    application.idle_after = Some(Duration::from_secs(5));
    let mut reader = application.start(StreamStart::TrimHorizon).unwrap();
    topic.put(0, &at(1));
    application.read(&mut reader).unwrap();
    assert_eq!(application.counts(), []);
    application.clock.0 += 10_000;
    application.read(&mut reader).unwrap();
    assert_eq!(application.counts(), [(1, 1)]);
}

/// There a window is emitted at each record, unless it is suppressed until it closes.
#[test]
fn s332_each_window_comes_once_when_it_is_complete() {
    let topic = Topic::new(1);
    let mut application = Application::new(&topic);
    let records = [(0, 1), (0, 1), (0, 1), (0, 2), (0, 2), (0, 3)];
    assert_eq!(counts(&mut application, &topic, &records), [(1, 3), (2, 2)]);
    assert!(application.lines.borrow().iter().all(|line| line.contains("\"revision\":0")));
}

/// There the grace was 24 h where nobody had set it, so that no window came for a day, and a record
/// after it is dropped without a word.
#[test]
fn s332_max_delay_says_how_long_a_record_is_waited_for() {
    let topic = Topic::new(1);
    let mut application = Application::new(&topic);
    application.pipeline = PIPELINE.replace("\"0s\"", "\"3s\"");
    // The second of the fourth record is waited for, and that of the last one is not any more.
    let records = [(0, 1), (0, 2), (0, 4), (0, 2), (0, 6), (0, 1)];
    assert_eq!(counts(&mut application, &topic, &records), [(1, 1), (2, 2)]);
    let topic = Topic::new(1);
    let mut application = Application::new(&topic);
    application.pipeline = PIPELINE.replace("max_delay = \"0s\"\n", "");
    assert_eq!(counts(&mut application, &topic, &[(0, 1), (0, 11)]), []);
    assert_eq!(counts(&mut application, &topic, &[(0, 12)]), [(1, 1)], "10 s, if nothing is said");
}

/// There a group by something else than the key needs a topic of its own, in which the records are
/// partitioned again.
#[test]
fn s332_groups_are_over_all_partitions() {
    let topic = Topic::new(3);
    let mut application = Application::new(&topic);
    let records = [(0, 1), (1, 1), (2, 1), (0, 9), (1, 9), (2, 9)];
    assert_eq!(counts(&mut application, &topic, &records), [(1, 3)]);
}
