//! The command line of `streamgauge kafka`: only its grammar.

use crate::arguments::{MergingArguments, PackingArguments, PipelineArguments};
use crate::copy::CopyArguments;
use crate::stream_arguments::{NOT_OF_MERGING, StreamInput, StreamOutput, start};
use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, Args};
use std::path::PathBuf;
use streamgauge::adapter::kafka::TopicOptions;
use streamgauge::adapter::worker::StreamStart;

/// Read a topic of Kafka.
#[derive(Debug, Args)]
#[command(after_long_help = KAFKA_HELP, mut_arg("packing", packing_of_kafka))]
pub(crate) struct KafkaArguments {
    #[command(flatten)]
    pub(crate) topic: TopicArguments,
    /// Where to begin at the first start: latest (with the next record), earliest (with the oldest
    /// record of the topic), or a time such as 2026-01-31T12:00:00Z. With a state, later starts
    /// continue where the last one stopped. A partition that is added later begins with its oldest
    /// record
    #[arg(
        long,
        value_name = "latest|earliest|TIME",
        default_value = "latest",
        value_parser = |text: &str| start(text, "earliest")
    )]
    pub(crate) from: StreamStart,
    #[command(flatten)]
    pub(crate) unpacking: PackingArguments,
    #[command(flatten)]
    pub(crate) input: StreamInput,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    #[command(flatten)]
    pub(crate) output: StreamOutput,
    #[command(flatten)]
    pub(crate) copy: CopyArguments,
    /// The second stage: the records are the partials that `--partials kafka:TOPIC` has written.
    /// The pipeline is the one that made them
    #[arg(
        long,
        help_heading = "Second stage",
        conflicts_with_all = NOT_OF_MERGING
    )]
    pub(crate) merge: bool,
    #[command(flatten, next_help_heading = "Second stage")]
    pub(crate) merging: MergingArguments,
}

/// The topic, and how it is reached.
#[derive(Debug, Args)]
pub(crate) struct TopicArguments {
    /// Brokers to begin with; the others are found by them
    #[arg(long, value_name = "HOST:PORT,...", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) brokers: String,
    /// The name of the topic
    #[arg(long, value_name = "TOPIC", value_parser = topic_name)]
    pub(crate) topic: String,
    /// Share the partitions with all processes that name the same consumer group. Needs --state,
    /// and --partials for answers over all partitions or --out for those of each
    #[arg(
        long,
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new(),
        conflicts_with_all = ["capture", "trace"]
    )]
    pub(crate) consumer_group: Option<String>,
    /// Set a property of librdkafka, such as client.id=hits. An empty value removes one that is set
    /// by default. Can be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = TopicOptions::property)]
    pub(crate) properties: Vec<(String, String)>,
    /// Read properties of librdkafka from a file of lines NAME=VALUE, for what should not be on a
    /// command line. A value ${env:NAME} is that of a variable, ${file:PATH} the content of a file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A command that writes a token, for sasl.mechanism=OAUTHBEARER, as with Amazon MSK
    #[arg(long, value_name = "COMMAND")]
    pub(crate) token_command: Option<String>,
}

/// Maximum bytes of a topic's name. With the number of a partition it is the key of a state.
const TOPIC_BYTES_MAX: usize = 74;

fn topic_name(text: &str) -> Result<String, String> {
    match text.len() {
        1..=TOPIC_BYTES_MAX => Ok(text.to_owned()),
        bytes => Err(format!("the name has {bytes} bytes; from 1 to {TOPIC_BYTES_MAX}")),
    }
}

/// Sets what is the usual packing of a topic.
fn packing_of_kafka(packing: Arg) -> Arg {
    let help = "How payloads are unpacked: whole, or lines (each line is a record)";
    packing.default_value("whole").help(help)
}

const KAFKA_HELP: &str = "\
One process reads all partitions; with --consumer-group, several processes share
them. A window comes out when every partition has a later record; --idle-after
lets the clock decide for quiet partitions. The time of a record in Kafka is its
event time, unless --time names a field.

Positions are in --state, together with the open windows, so each record counts
once. Records of aborted transactions, and deletions of keys, are not read.

Examples:
  streamgauge kafka --brokers localhost:9092 --topic clicks --window 1m \\
      --idle-after 10s --agg 'count, top(10, url)'
  streamgauge kafka --brokers localhost:9092 --topic clicks --from earliest \\
      --pipeline hits.toml --state /var/lib/hits --out /var/lib/hits.jsonl
  streamgauge kafka --brokers localhost:9092 --topic clicks --pipeline hits.toml \\
      --consumer-group hits --state /mnt/hits/state --partials /mnt/hits/partials
  streamgauge kafka --brokers localhost:9092 --topic clicks --pipeline hits.toml \\
      --state /var/lib/hits --out kafka:answers

Ctrl-C or SIGTERM ends it. With --state the open windows are kept for the next
start; otherwise they come out as they are, with \"complete\":false as JSON.

Exit codes: 1 the run failed (a topic or a store that cannot be reached, a
limit, --strict hit, another process with the same state); 2 wrong usage;
130 and 143 ended by Ctrl-C and by SIGTERM.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_a_name_under_which_a_state_can_be_saved() {
        use streamgauge::store::{MemoryStore, Store};
        let longest = "x".repeat(TOPIC_BYTES_MAX);
        assert_eq!(topic_name(&longest).as_ref(), Ok(&longest));
        assert!(MemoryStore::new().load(&format!("{longest}-99999")).is_ok());
        for wrong in [String::new(), longest + "x"] {
            assert!(topic_name(&wrong).unwrap_err().ends_with("bytes; from 1 to 74"));
        }
    }
}
