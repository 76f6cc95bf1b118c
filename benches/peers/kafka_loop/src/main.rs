//! kafka-loop BROKERS TOPIC PARTITIONS RECORDS: reads the records of a topic, and adds up the bytes
//! of their payloads.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, brokers, topic, partitions, records] = &arguments[..] else {
        panic!("kafka-loop BROKERS TOPIC PARTITIONS RECORDS");
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "loop")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions.parse().unwrap() {
        list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut left, mut bytes) = (records.parse::<u64>().unwrap(), 0);
    while left > 0 {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            bytes += message.unwrap().payload().map_or(0, <[u8]>::len);
            left -= 1;
        }
    }
    println!("{bytes}");
}
