//! The workers of a process: a thread for each partition.

use super::Make;
use super::order::{End, Order, Report, Workers};
use super::partition_run::PartitionRun;
use crate::adapter::kafka::read_topic::shard_of;
use crate::adapter::worker::{ShardWork, SystemClock};
use crate::error::{Error, ErrorKind};
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::Scope;
use std::time::Duration;

/// How often the clock works on a partition without records.
const TICK: Duration = Duration::from_millis(200);

/// The threads of the partitions.
pub(super) struct Threads<'s, 'e, W, S> {
    scope: &'s Scope<'s, 'e>,
    topic: &'s str,
    make: Make<'s, W, S>,
    orders: BTreeMap<i32, Sender<Order>>,
    sender: Sender<(i32, Report)>,
    receiver: Receiver<(i32, Report)>,
}

impl<'s, 'e, W: ShardWork, S: Store> Threads<'s, 'e, W, S> {
    pub(super) fn new(scope: &'s Scope<'s, 'e>, topic: &'s str, make: Make<'s, W, S>) -> Self {
        let (sender, receiver) = mpsc::channel();
        Threads { scope, topic, make, orders: BTreeMap::new(), sender, receiver }
    }
}

impl<W: ShardWork, S: Store> Workers for Threads<'_, '_, W, S> {
    fn start(&mut self, partition: i32) {
        let (sender, receiver) = mpsc::channel();
        self.orders.insert(partition, sender);
        let (reports, topic, make) = (self.sender.clone(), self.topic, self.make);
        self.scope.spawn(move || {
            let mut end = EndOfThread { reports, partition, end: None };
            let reports = end.reports.clone();
            // Nobody hears a report of a run that has failed.
            let mut report = |report| drop(reports.send((partition, report)));
            end.end = Some(work((topic, partition), make, &receiver, &mut report));
        });
    }

    fn order(&mut self, partition: i32, order: Order) {
        if let Some(sender) = self.orders.get(&partition) {
            let _ = sender.send(order);
        }
    }

    fn reports(&mut self, wait: Duration) -> Vec<(i32, Report)> {
        self.receiver.recv_timeout(wait).into_iter().chain(self.receiver.try_iter()).collect()
    }
}

/// Reports the end of a thread, also after a panic.
struct EndOfThread {
    reports: Sender<(i32, Report)>,
    partition: i32,
    end: Option<End>,
}

impl Drop for EndOfThread {
    fn drop(&mut self) {
        let end = self.end.take().unwrap_or_else(|| {
            End::Failed(Error::new(ErrorKind::Io, "the thread of the partition has panicked"))
        });
        let _ = self.reports.send((self.partition, Report::Ended(end)));
    }
}

/// Works on one partition until the member wants its end, or something fails.
fn work<W: ShardWork, S: Store>(
    (topic, partition): (&str, i32),
    make: Make<'_, W, S>,
    orders: &Receiver<Order>,
    report: &mut dyn FnMut(Report),
) -> End {
    let mut clock = SystemClock;
    let shard = shard_of(topic, partition);
    let opened =
        make().and_then(|processor| PartitionRun::open(processor, &shard, (&mut clock, report)));
    let mut run = match opened {
        Ok(run) => run,
        Err(error) => return End::Failed(error),
    };
    loop {
        let order = match orders.recv_timeout(TICK) {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            // The member has gone.
            Err(RecvTimeoutError::Disconnected) => Some(Order::Lose),
        };
        if let Some(end) = run.step(order, (&mut clock, report)) {
            return end;
        }
    }
}
