//! Streams read without a Java process, over a simulated Kinesis.

mod capture;
mod cloud;
mod merging;
mod pushing;
mod reading;
