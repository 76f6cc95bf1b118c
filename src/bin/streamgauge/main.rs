//! The command `streamgauge`: windowed aggregates over files and streams, without writing code.

mod answer_files;
mod answers;
#[cfg(feature = "dynamodb")]
mod application;
mod arguments;
#[cfg_attr(not(feature = "kafka"), path = "brokers_disabled.rs")]
mod brokers;
mod capture;
mod check;
mod copy;
mod dead_letters;
mod early;
mod expectation;
mod failure;
mod finish;
mod follow;
mod hints;
mod inputs;
mod inspect;
mod interrupt;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "kafka")]
mod kafka_arguments;
mod kcl;
#[cfg(feature = "kinesis")]
mod kinesis;
#[cfg(feature = "kinesis")]
mod kinesis_arguments;
#[cfg(feature = "lambda-runtime")]
mod lambda;
mod last_written;
mod late_records;
mod lines_file;
#[cfg(feature = "log")]
mod log;
#[cfg(not(feature = "log"))]
#[path = "log_disabled.rs"]
mod log;
mod manual;
mod merge;
mod merged;
mod one_file;
mod output;
mod progress;
mod protocol_output;
#[cfg(any(feature = "otlp", feature = "serve"))]
mod publish_arguments;
#[cfg(feature = "kinesis")]
mod put;
mod replay;
mod report;
mod run;
mod session;
mod settings;
#[cfg(any(feature = "dynamodb", feature = "kafka"))]
mod shared_stream;
#[cfg(test)]
mod simulation;
mod sink;
mod sql;
mod standard_error;
mod standard_output;
mod state;
mod storm;
#[cfg(any(feature = "kafka", feature = "kinesis"))]
mod stream_arguments;
mod stream_rows;
#[cfg(any(feature = "kafka", feature = "kinesis"))]
mod stream_run;
#[cfg(feature = "kinesis")]
mod streams;
mod summary;
mod top;
mod usage;
mod view;

use arguments::{Arguments, Command};
use clap::Parser;
use failure::Failure;
use standard_error::say;
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "lambda-runtime")]
    if lambda::is_bootstrap() {
        return exit_code(lambda::run());
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return answered_by_clap(&usage::with_tip(error, std::env::args())),
    };
    log::start(&arguments.log);
    exit_code(match arguments.command {
        Command::Kcl(arguments) => kcl::run(&arguments),
        #[cfg(feature = "kafka")]
        Command::Kafka(arguments) => kafka::run(*arguments),
        Command::Storm(arguments) => storm::run(&arguments),
        #[cfg(feature = "kinesis")]
        Command::Kinesis(arguments) => kinesis::run(*arguments),
        #[cfg(feature = "kinesis")]
        Command::Put(arguments) => put::run(arguments),
        #[cfg(feature = "kinesis")]
        Command::Streams(arguments) => streams::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Top(arguments) => top::run(arguments),
        Command::Sql(arguments) => sql::run(arguments),
        Command::Merge(arguments) => merge::run(arguments),
        Command::Capture(arguments) => capture::run(&arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Finish(arguments) => finish::run(&arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Completions(arguments) => manual::completions(arguments.shell),
        Command::Man => manual::page(),
        #[cfg(feature = "lambda-runtime")]
        Command::Lambda => lambda::run(),
    })
}

fn exit_code(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ended(&failure),
    }
}

fn ended(failure: &Failure) -> ExitCode {
    if let Some(message) = failure.message() {
        say(&format!("error: {message}\n"));
    }
    failure.exit_code()
}

/// Help and version go to standard output and are a success; anything else is wrong usage.
fn answered_by_clap(error: &clap::Error) -> ExitCode {
    match error.print() {
        _ if error.use_stderr() => ExitCode::from(2),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ended(&Failure::output(&error)),
    }
}
