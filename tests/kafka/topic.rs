//! A topic in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;
use streamgauge::adapter::kafka::{ReadTopic, TopicEvent};
use streamgauge::prelude::*;
use streamgauge::{Error, Timestamp};

/// A topic, and one reader of it. Copies share the records, and not the places of the reader.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    partitions: Rc<RefCell<Vec<Partition>>>,
    deliveries: Rc<RefCell<usize>>,
    places: BTreeMap<i32, u64>,
}

#[derive(Debug, Default)]
struct Partition {
    records: BTreeMap<u64, String>,
    start: u64,
    end: u64,
}

impl Clone for Topic {
    fn clone(&self) -> Self {
        Topic {
            partitions: self.partitions.clone(),
            deliveries: self.deliveries.clone(),
            places: BTreeMap::new(),
        }
    }
}

impl Topic {
    pub(crate) fn new(partitions: usize) -> Self {
        let topic = Topic::default();
        (0..partitions).for_each(|_| topic.add_partition());
        topic.deliver_at_most(usize::MAX);
        topic
    }

    pub(crate) fn add_partition(&self) {
        self.partitions.borrow_mut().push(Partition::default());
    }

    pub(crate) fn put(&self, partition: usize, data: &str) {
        let partition = &mut self.partitions.borrow_mut()[partition];
        partition.records.insert(partition.end, data.to_owned());
        partition.end += 1;
    }

    /// Uses offsets without a record.
    pub(crate) fn skip(&self, partition: usize, offsets: u64) {
        self.partitions.borrow_mut()[partition].end += offsets;
    }

    pub(crate) fn delete_before(&self, partition: usize, offset: u64) {
        let partition = &mut self.partitions.borrow_mut()[partition];
        partition.records = partition.records.split_off(&offset);
        partition.start = offset;
    }

    /// Sets how many records of a partition one call delivers.
    pub(crate) fn deliver_at_most(&self, records: usize) {
        *self.deliveries.borrow_mut() = records;
    }
}

impl ReadTopic for Topic {
    fn partitions(&mut self) -> Result<Vec<i32>, Error> {
        Ok((0..self.partitions.borrow().len() as i32).collect())
    }

    fn bounds(&mut self, partition: i32) -> Result<Range<u64>, Error> {
        let partition = &self.partitions.borrow()[partition as usize];
        Ok(partition.start..partition.end)
    }

    fn offset_at(&mut self, _: i32, time: Timestamp) -> Result<u64, Error> {
        Ok(time.as_millis() as u64 / 1000)
    }

    fn begin(&mut self, partitions: &[(i32, u64)]) -> Result<(), Error> {
        self.places.extend(partitions.iter().copied());
        Ok(())
    }

    fn leave(&mut self, partitions: &[i32]) -> Result<(), Error> {
        self.places.retain(|partition, _| !partitions.contains(partition));
        Ok(())
    }

    fn seek(&mut self, partition: i32, next: u64) -> Result<(), Error> {
        self.places.insert(partition, next);
        Ok(())
    }

    fn pause(&mut self, _: i32, _: bool) -> Result<(), Error> {
        Ok(())
    }

    fn commit(&mut self, _: &[(i32, u64)]) -> Result<(), Error> {
        Ok(())
    }

    fn poll(&mut self, _: Duration) -> Result<Vec<TopicEvent>, Error> {
        let (partitions, deliveries) = (self.partitions.borrow(), *self.deliveries.borrow());
        let mut events = Vec::new();
        for (number, place) in &mut self.places {
            let partition = &partitions[*number as usize];
            let shard = ShardId::new(format!("clicks-{number}"));
            let record = |(offset, data): (&u64, &String)| Record {
                partition_key: Default::default(),
                data: data.clone().into(),
                arrival: Timestamp::from_millis(*offset as i64 * 1000),
                position: Position { shard: shard.clone(), sequence: Sequence::new(*offset) },
                headers: Default::default(),
            };
            let records: Vec<Record> =
                partition.records.range(*place..).take(deliveries).map(record).collect();
            match records.last() {
                Some(last) => {
                    *place = last.position.sequence.number.as_str().parse::<u64>().unwrap() + 1;
                    events.push(TopicEvent::Records(*number, records));
                }
                None => events.push(TopicEvent::AtEnd(*number)),
            }
        }
        Ok(events)
    }
}
