//! A model of Lambda's event source mapping for one shard, after the documentation of AWS: batches,
//! retries, bisecting, partial responses, tumbling windows and their early ends, lost replies,
//! functions that start cold. A list of numbers decides each step.

use crate::lambda::stream::{Put, STREAM_ARN};
use serde_json::{Value, json};

/// A function from the bytes of an event to the bytes of its reply, or an error.
pub(crate) type Function<'a> = dyn FnMut(&[u8]) -> Result<Vec<u8>, String> + 'a;

/// The settings of the mapping, and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    /// The length of the tumbling window in milliseconds; 0 for no window.
    pub(crate) window: i64,
    pub(crate) bisect: bool,
    /// True if a window may end early.
    pub(crate) ends_early: bool,
    /// Each number decides what happens next, once.
    pub(crate) fates: Vec<u8>,
}

/// What the mapping did with a shard's records.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Records that shared one state: those of a window, or of a part of it that ended early.
    pub(crate) segments: Vec<Vec<Put>>,
    /// Records that were given up after the function had refused them again and again.
    pub(crate) dropped: Vec<u64>,
}

struct Shard<'a, 'b> {
    mapping: &'a Mapping,
    name: &'a str,
    function: &'a mut Function<'b>,
    fate: usize,
    run: Run,
    state: Value,
}

impl Mapping {
    /// Delivers the records of a shard.
    pub(crate) fn deliver(&self, shard: &str, puts: &[Put], function: &mut Function<'_>) -> Run {
        let mut shard = Shard {
            mapping: self,
            name: shard,
            function,
            fate: 0,
            run: Run::default(),
            state: json!({}),
        };
        for window in puts.chunk_by(|a, b| self.window_of(a) == self.window_of(b)) {
            shard.run.segments.push(Vec::new());
            let mut rest = window;
            while !rest.is_empty() {
                let size = 1 + shard.fate() as usize % 8;
                let (batch, after) = rest.split_at(size.min(rest.len()));
                shard.batch(batch);
                if self.window > 0 && self.ends_early && shard.fate().is_multiple_of(8) {
                    shard.finish(window[0].arrival, true);
                    shard.run.segments.push(Vec::new());
                }
                rest = after;
            }
            if self.window > 0 {
                shard.finish(window[0].arrival, false);
            }
        }
        shard.run
    }

    fn window_of(&self, put: &Put) -> i64 {
        if self.window == 0 { 0 } else { put.arrival.div_euclid(self.window) }
    }
}

impl Shard<'_, '_> {
    /// Returns the next decision.
    fn fate(&mut self) -> u8 {
        let fate = self
            .mapping
            .fates
            .get(self.fate % self.mapping.fates.len().max(1))
            .copied()
            .unwrap_or(7);
        self.fate += 1;
        // The list repeats, with small changes each time.
        fate.wrapping_add((self.fate / self.mapping.fates.len().max(1)) as u8)
    }

    /// Delivers a batch until all of it is done or given up.
    fn batch(&mut self, batch: &[Put]) {
        let mut rest = batch;
        let (mut refusals, mut errors) = (0, 0);
        while !rest.is_empty() {
            let lost = self.fate().is_multiple_of(4);
            if lost && self.mapping.bisect && rest.len() > 1 {
                // The function ran, but its reply was lost: Lambda halves the batch.
                let _ = self.invoke(rest, false, false);
                let (first, second) = rest.split_at(rest.len() / 2);
                self.batch(first);
                rest = second;
                continue;
            }
            let reply = match self.invoke(rest, false, false) {
                Ok(reply) if !lost => reply,
                Ok(_) => continue,
                Err(error) => {
                    errors += 1;
                    assert!(errors < 100, "{error}");
                    continue;
                }
            };
            if self.mapping.window > 0 {
                self.state = reply["state"].clone();
                assert!(self.state.is_object(), "a reply without a state is a failed invocation");
            }
            let failures = reply["batchItemFailures"].as_array().expect("the list is there");
            let Some(failure) = failures.first() else {
                self.done(rest);
                return;
            };
            let number = failure["itemIdentifier"].as_str().expect("an identifier is text");
            let at = rest
                .iter()
                .position(|put| put.number.to_string() == number)
                .expect("an identifier is one of the batch");
            self.done(&rest[..at]);
            rest = &rest[at..];
            refusals = if at == 0 { refusals + 1 } else { 1 };
            if refusals == 3 {
                // Given up: to the on-failure destination, and the stream goes on.
                self.run.dropped.push(rest[0].number);
                // The good part of an aggregate was applied.
                self.done(&rest[..1]);
                rest = &rest[1..];
                refusals = 0;
            }
        }
    }

    fn done(&mut self, puts: &[Put]) {
        self.run.segments.last_mut().expect("a window is open").extend(puts.iter().cloned());
    }

    /// The window's last invocation.
    fn finish(&mut self, arrival: i64, early: bool) {
        let reply = loop {
            let lost = self.fate().is_multiple_of(4);
            let reply =
                self.invoke_at(arrival, &[], (true, early)).expect("a last invocation succeeds");
            if !lost {
                break reply;
            }
        };
        assert_eq!(reply, json!({ "state": {}, "batchItemFailures": [] }));
        self.state = json!({});
    }

    fn invoke(&mut self, puts: &[Put], is_final: bool, early: bool) -> Result<Value, String> {
        self.invoke_at(puts[0].arrival, puts, (is_final, early))
    }

    fn invoke_at(
        &mut self,
        arrival: i64,
        puts: &[Put],
        (is_final, early): (bool, bool),
    ) -> Result<Value, String> {
        let mut event =
            json!({ "Records": puts.iter().map(|put| put.json(self.name)).collect::<Vec<_>>() });
        if self.mapping.window > 0 {
            let start = arrival.div_euclid(self.mapping.window) * self.mapping.window;
            let time = |millis| streamgauge::Timestamp::from_millis(millis).to_string();
            event["window"] =
                json!({ "start": time(start), "end": time(start + self.mapping.window) });
            event["state"] = self.state.clone();
            event["shardId"] = json!(self.name);
            event["eventSourceARN"] = json!(STREAM_ARN);
            event["isFinalInvokeForWindow"] = json!(is_final);
            event["isWindowTerminatedEarly"] = json!(early);
        }
        let reply = (self.function)(event.to_string().as_bytes())?;
        serde_json::from_slice(&reply).map_err(|error| error.to_string())
    }
}
