//! Streams read without a Java process, over a simulated Kinesis.

mod cloud;
mod reading;
