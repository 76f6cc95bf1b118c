//! A slow engine that is obviously right: it stores every record, has no panes, and computes a
//! window from all records each time.
//!
//! It repeats the rules of docs/SEMANTICS.md, window by window, in the plainest code. The tests
//! compare the engine with it.

use std::collections::BTreeMap;

/// The rules of time of the reference, all in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The times at which the days of a calendar begin. If there are some, size, slide and offset
    /// are in days, and the offset is that of the first of these.
    pub(crate) days: Vec<i64>,
    pub(crate) size: i64,
    pub(crate) slide: i64,
    pub(crate) offset: i64,
    /// `None`: unbounded.
    pub(crate) out_of_orderness: Option<i64>,
    pub(crate) lateness: i64,
    pub(crate) emit_empty: bool,
    /// The time without a record, by the caller's clock, after which other shards do not wait for a
    /// shard; `None`: never.
    pub(crate) idle_after: Option<i64>,
}

/// The outcome of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Applied,
    Late,
    BetweenWindows,
    DeadLetter,
}

/// An open shard.
#[derive(Clone, Copy, Default)]
struct Open {
    /// The latest time seen on it; `None` while it has seen nothing.
    seen: Option<i64>,
    /// The caller's clock at the last record with a readable time. Without such a record, the first
    /// time of the clock.
    last_record: Option<i64>,
    idle: bool,
}

/// (start, end, revision, the records of the window in the order they came).
pub(crate) type Fired = (i64, i64, u32, Vec<u64>);

/// A window by (end, start), so that windows order as they fire.
type Window = (i64, i64);

pub(crate) struct Reference {
    rules: Rules,
    shards: BTreeMap<usize, Open>,
    /// The caller's clock.
    now: Option<i64>,
    /// Each record with the windows that were open when it came.
    records: Vec<(Vec<Window>, u64)>,
    watermark: i64,
    /// Windows that fired, with their last revision.
    fired: BTreeMap<Window, u32>,
    /// The last window that fired because the watermark passed it.
    last_in_order: Option<Window>,
    pub(crate) emissions: Vec<Fired>,
}

impl Reference {
    pub(crate) fn new(rules: Rules, shards: usize) -> Self {
        let shards = (0..shards).map(|shard| (shard, Open::default())).collect();
        let (records, fired, emissions) = (vec![], BTreeMap::new(), vec![]);
        Reference {
            rules,
            shards,
            now: None,
            records,
            watermark: i64::MIN,
            fired,
            last_in_order: None,
            emissions,
        }
    }

    /// Returns every window that contains the time, by trying all starts near it.
    fn windows_of(&self, time: i64) -> Vec<Window> {
        let Rules { size, slide, offset, .. } = self.rules;
        if !self.rules.days.is_empty() {
            let all = self.calendar_windows().into_iter();
            return all.filter(|(end, start)| *start <= time && time < *end).collect();
        }
        let starts = (time - size + 1)..=time;
        starts
            .filter(|start| (start - offset).rem_euclid(slide) == 0)
            .map(|start| (start + size, start))
            .collect()
    }

    fn calendar_windows(&self) -> Vec<Window> {
        let Rules { days, size, slide, offset, .. } = &self.rules;
        let start = |first: usize| (first as i64 - offset).rem_euclid(*slide) == 0;
        let windows = days.windows(*size as usize + 1).enumerate();
        windows
            .filter(|(first, _)| start(*first))
            .map(|(_, days)| (days[days.len() - 1], days[0]))
            .collect()
    }

    /// Returns the window after this one.
    fn after(&self, window: Window) -> Window {
        if self.rules.days.is_empty() {
            return (window.0 + self.rules.slide, window.1 + self.rules.slide);
        }
        *self.calendar_windows().iter().find(|(_, start)| *start > window.1).expect("enough days")
    }

    fn is_open(&self, window: Window) -> bool {
        window.0 - 1 + self.rules.lateness > self.watermark
    }

    fn is_complete(&self, window: Window) -> bool {
        window.0 - 1 <= self.watermark
    }

    /// Pushes a record that the aggregate accepts or refuses.
    pub(crate) fn push(&mut self, shard: usize, time: i64, id: u64, refused: bool) -> Fate {
        let windows = self.windows_of(time);
        let open: Vec<Window> =
            windows.iter().copied().filter(|window| self.is_open(*window)).collect();
        let fate = match (windows.is_empty(), open.is_empty()) {
            (true, _) => Fate::BetweenWindows,
            (false, true) => Fate::Late,
            (false, false) if refused => Fate::DeadLetter,
            (false, false) => Fate::Applied,
        };
        if fate == Fate::Applied {
            self.records.push((open.clone(), id));
            for window in
                open.into_iter().filter(|window| self.is_complete(*window)).collect::<Vec<_>>()
            {
                // If empty windows are emitted, the very first window fires in order, so that the
                // windows after it follow.
                if !self.rules.emit_empty || !self.fired.is_empty() {
                    self.fire(window);
                }
            }
            self.fire_between();
        }
        self.see(shard, Some(time));
        // A record of a closed shard raises no watermark, but its window may be complete already.
        self.fire_complete();
        fate
    }

    /// Notes that a record has come on the shard, with its time if that can be read, whatever its
    /// outcome.
    pub(crate) fn see(&mut self, shard: usize, time: Option<i64>) {
        let (Some(time), Some(open)) = (time, self.shards.get_mut(&shard)) else { return };
        // A record of a shard that was closed counts, but does not open it again.
        *open = Open { seen: open.seen.max(Some(time)), last_record: self.now, idle: false };
        self.raise_watermark();
    }

    /// Advances the caller's clock to `now`.
    pub(crate) fn advance(&mut self, now: i64) {
        self.now = Some(now);
        for open in self.shards.values_mut() {
            let last_record = *open.last_record.get_or_insert(now);
            open.idle |=
                self.rules.idle_after.is_some_and(|idle_after| now - last_record >= idle_after);
        }
        self.raise_watermark();
    }

    pub(crate) fn close(&mut self, shard: usize) {
        self.shards.remove(&shard);
        self.raise_watermark();
    }

    pub(crate) fn finish(&mut self) {
        self.watermark = i64::MAX;
        self.fire_complete();
    }

    fn raise_watermark(&mut self) {
        let Some(bound) = self.rules.out_of_orderness else { return };
        let active = self.shards.values().filter(|open| !open.idle);
        let lowest = active.map(|open| open.seen.map_or(i64::MIN, |seen| seen - bound - 1)).min();
        self.watermark = self.watermark.max(lowest.unwrap_or(i64::MIN));
        self.fire_complete();
    }

    fn fire_complete(&mut self) {
        while let Some(window) = self.next_complete() {
            self.last_in_order = Some(window);
            self.fire(window);
        }
    }

    /// If empty windows are emitted, fires every window between two that have fired.
    fn fire_between(&mut self) {
        let (Some((first, _)), Some((last, _))) =
            (self.fired.first_key_value(), self.fired.last_key_value())
        else {
            return;
        };
        let (mut window, last) = (*first, *last);
        while self.rules.emit_empty && window < last {
            if !self.fired.contains_key(&window) {
                self.fire(window);
            }
            window = self.after(window);
        }
    }

    /// Returns the next window that the watermark has passed and that has not fired.
    fn next_complete(&self) -> Option<Window> {
        let with_records = self.records.iter().flat_map(|(windows, _)| windows).copied();
        let next = with_records.filter(|window| !self.fired.contains_key(window)).min();
        if let (true, Some(last)) = (self.rules.emit_empty, self.last_in_order) {
            let after = self.after(last);
            // The end of the input completes no empty windows after the last record's.
            let wanted = self.watermark < i64::MAX || next.is_some();
            return (wanted && self.is_complete(after)).then_some(after);
        }
        next.filter(|window| self.is_complete(*window))
    }

    fn fire(&mut self, window: Window) {
        let mut inside: Vec<u64> = self
            .records
            .iter()
            .filter(|(windows, _)| windows.contains(&window))
            .map(|(_, id)| *id)
            .collect();
        inside.sort_unstable();
        let revision = self.fired.get(&window).map_or(0, |last| last + 1);
        self.fired.insert(window, revision);
        self.emissions.push((window.1, window.0, revision, inside));
    }
}
