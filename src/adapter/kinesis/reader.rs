//! Reads all shards of a stream, parents before children.

use super::cursor::{Cursor, give_up};
use super::pace::{self, Jitter};
use super::read_stream::{IteratorPlace, ReadFailure, ReadStream, RecordPage, ShardInfo};
use crate::adapter::worker::{Batch, Clock, StreamPosition, StreamStart};
use crate::error::{Error, ErrorKind};
use crate::record::ShardId;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum length of one sleep, so that a caller sees a signal soon.
const SLEEP_MAX: Duration = Duration::from_millis(200);

/// Number of attempts of the first listing, where a failure usually is a wrong name or permission.
const FIRST_TRIES: u32 = 3;

/// What a [`StreamReader`] reports, in the order in which it has to be applied.
#[derive(Debug)]
pub enum StreamEvent {
    /// The records of this shard follow. Its parents are read to their end.
    Opened(ShardInfo),
    /// Records of a shard. There may be none: then the shard is quiet.
    Records(ShardId, Batch),
    /// The shard has no more records, and the shards that continue it are open.
    Ended(ShardId),
}

/// Reads all shards of a stream.
///
/// - A shard begins after all records of its parents were delivered. A parent ends, for the caller,
///   when its children are open, so that no window closes between the two.
/// - Each shard gets at most 5 calls and 2 MiB a second, the limits of Kinesis, and one call a
///   second at its end. After throttling or a failure the pause grows, with jitter.
/// - An expired iterator is replaced. Records may come twice after that; their positions tell.
#[derive(Debug)]
pub struct StreamReader<T> {
    transport: T,
    shards: BTreeMap<ShardId, ReadShard>,
    /// Shards of the position that are older than the retention of the stream.
    unlisted: Vec<ShardId>,
    /// The time of the next listing, if one is needed.
    listing: Option<Timestamp>,
    listing_failures: u32,
    jitter: Jitter,
    quiet_pause: Duration,
}

#[derive(Debug)]
struct ReadShard {
    info: ShardInfo,
    /// Where its first iterator begins.
    place: IteratorPlace,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Its parents have records that were not delivered.
    Waiting,
    Reading(Cursor),
    /// All records were delivered; not all children are open.
    AtEnd,
    Done,
}

impl<T: ReadStream> StreamReader<T> {
    /// Creates a reader that knows no shard. `seed` decides the jitter.
    pub fn new(transport: T, seed: u64) -> Self {
        StreamReader {
            transport,
            shards: BTreeMap::new(),
            unlisted: Vec::new(),
            listing: None,
            listing_failures: 0,
            jitter: Jitter::new(seed),
            quiet_pause: Duration::from_secs(1),
        }
    }

    /// Sets the pause between two calls to a shard at its end. Default: 1 s. At least 200 ms.
    #[must_use]
    pub fn quiet_pause(mut self, pause: Duration) -> Self {
        self.quiet_pause = pause.max(pace::CALL_PAUSE);
        self
    }

    /// Returns the transport.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Lists the shards and finds the place of each. With a position without shards, this is the
    /// first start: the shards that exist now are the
    /// [`initial`](StreamPosition::initial) ones, and are added to it.
    ///
    /// # Errors
    /// The shards cannot be listed, or the stream has no shard.
    pub fn open(
        &mut self,
        position: &mut StreamPosition,
        clock: &mut dyn Clock,
    ) -> Result<(), Error> {
        let listed = self.first_listing(clock)?;
        if listed.is_empty() {
            return Err(Error::new(ErrorKind::Mismatch, "the stream has no shards"));
        }
        let is_first = position.shards.is_empty() && position.initial.is_empty();
        let from_latest = is_first && position.start == StreamStart::Latest;
        if is_first {
            position.initial = listed.iter().map(|shard| shard.id.clone()).collect();
        }
        self.shards = listed
            .into_iter()
            .map(|info| {
                let (id, place) = (info.id.clone(), place_of(&info.id, position));
                let progress = match from_latest && info.is_closed {
                    true => Progress::Done,
                    false => Progress::Waiting,
                };
                (id, ReadShard { info, place, progress })
            })
            .collect();
        // The first iterators may begin after the latest record; later ones must not skip any.
        if position.start == StreamStart::Latest {
            position.start = StreamStart::AtTime(clock.now());
        }
        let unlisted = position.shards.keys().filter(|id| !self.shards.contains_key(*id));
        self.unlisted = unlisted.cloned().collect();
        self.pass_over_finished(position);
        Ok(())
    }

    fn first_listing(&mut self, clock: &mut dyn Clock) -> Result<Vec<ShardInfo>, Error> {
        for attempt in 1.. {
            match self.transport.list_shards() {
                Ok(listed) => return Ok(listed),
                Err(ReadFailure::Fatal(error)) => return Err(error),
                Err(ReadFailure::Transient(error)) if attempt >= FIRST_TRIES => return Err(error),
                Err(_) => clock.sleep(self.jitter.pause_after(attempt)),
            }
        }
        Err(Error::new(ErrorKind::Io, "the shards cannot be listed"))
    }

    /// A shard all of whose children were opened by an earlier process was read to its end.
    fn pass_over_finished(&mut self, position: &StreamPosition) {
        let finished: Vec<ShardId> = self
            .shards
            .keys()
            .filter(|id| {
                let mut children = self.children(id).peekable();
                children.peek().is_some()
                    && children.all(|child| position.shards.contains_key(&child.info.id))
            })
            .cloned()
            .collect();
        for id in finished {
            if let Some(shard) = self.shards.get_mut(&id) {
                shard.progress = Progress::Done;
            }
        }
    }

    fn children<'a>(&'a self, parent: &'a ShardId) -> impl Iterator<Item = &'a ReadShard> + 'a {
        self.shards.values().filter(move |shard| shard.info.parents.contains(parent))
    }

    /// Reads each shard whose turn has come, or sleeps for a short time otherwise. Returns
    /// what happened, in order.
    ///
    /// # Errors
    /// A failure that no repetition helps against, or too many failures one after the other.
    pub fn poll(&mut self, clock: &mut dyn Clock) -> Result<Vec<StreamEvent>, Error> {
        let mut events = Vec::new();
        self.list_if_due(clock.now())?;
        self.open_children(clock.now(), &mut events);
        let read = self.read_due(clock, &mut events)?;
        if !read && events.is_empty() {
            let until = self.next_due().map_or(SLEEP_MAX, |due| pace::between(clock.now(), due));
            clock.sleep(until.clamp(Duration::from_millis(1), SLEEP_MAX));
        }
        Ok(events)
    }

    /// Returns how far behind the end of the stream the reading is: the most of all shards that
    /// are read. `None` before that is known.
    pub fn lag(&self) -> Option<Duration> {
        let cursors = self.cursors().map(|cursor| cursor.millis_behind);
        let most = cursors.reduce(|one, other| Some(one?.max(other?)))?;
        most.map(Duration::from_millis)
    }

    /// Returns the number of shards that are read at present.
    pub fn shards_open(&self) -> usize {
        self.cursors().count()
    }

    fn cursors(&self) -> impl Iterator<Item = &Cursor> {
        self.shards.values().filter_map(|shard| match &shard.progress {
            Progress::Reading(cursor) => Some(cursor),
            _ => None,
        })
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.cursors().map(|cursor| cursor.due).chain(self.listing).min()
    }

    /// Looks for the children of ended shards.
    fn list_if_due(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.listing.is_none_or(|due| due > now) {
            return Ok(());
        }
        match self.transport.list_shards() {
            Ok(listed) => {
                for info in listed {
                    let shard = ReadShard {
                        info,
                        place: IteratorPlace::TrimHorizon,
                        progress: Progress::Waiting,
                    };
                    self.shards.entry(shard.info.id.clone()).or_insert(shard);
                }
                let childless = self.shards.iter().any(|(id, shard)| {
                    matches!(shard.progress, Progress::AtEnd) && self.children(id).next().is_none()
                });
                self.listing_failures = 0;
                self.listing = childless.then(|| pace::after(now, self.jitter.pause_after(4)));
                Ok(())
            }
            Err(ReadFailure::Fatal(error)) => Err(error),
            Err(failure) => {
                self.listing_failures += 1;
                self.listing =
                    Some(pace::after(now, self.jitter.pause_after(self.listing_failures)));
                give_up(failure, self.listing_failures)
            }
        }
    }

    /// Opens the shards all of whose parents are read to the end, and then ends the parents all of
    /// whose children are open.
    fn open_children(&mut self, now: Timestamp, events: &mut Vec<StreamEvent>) {
        let is_read = |id: &ShardId| {
            self.shards
                .get(id)
                .is_none_or(|shard| matches!(shard.progress, Progress::AtEnd | Progress::Done))
        };
        let ready: Vec<ShardId> = self
            .shards
            .iter()
            .filter(|(_, shard)| matches!(shard.progress, Progress::Waiting))
            .filter(|(_, shard)| shard.info.parents.iter().all(is_read))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ready {
            let Some(shard) = self.shards.get_mut(&id) else { continue };
            shard.progress = Progress::Reading(Cursor::new(shard.place.clone(), now));
            events.push(StreamEvent::Opened(shard.info.clone()));
        }
        let ended: Vec<ShardId> = self
            .shards
            .iter()
            .filter(|(_, shard)| matches!(shard.progress, Progress::AtEnd))
            .filter(|(id, _)| {
                let mut children = self.children(id).peekable();
                children.peek().is_some()
                    && children.all(|child| !matches!(child.progress, Progress::Waiting))
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in ended {
            if let Some(shard) = self.shards.get_mut(&id) {
                shard.progress = Progress::Done;
            }
            events.push(StreamEvent::Ended(id));
        }
        events.extend(self.unlisted.drain(..).map(StreamEvent::Ended));
    }

    /// Reads the shards whose turn has come. Returns true if there was one.
    fn read_due(
        &mut self,
        clock: &mut dyn Clock,
        events: &mut Vec<StreamEvent>,
    ) -> Result<bool, Error> {
        let now = clock.now();
        let mut requests = Vec::new();
        let mut found = false;
        let StreamReader { transport, shards, jitter, .. } = self;
        for (id, shard) in shards.iter_mut() {
            let Progress::Reading(cursor) = &mut shard.progress else { continue };
            if cursor.due > now {
                continue;
            }
            found = true;
            let iterator = cursor.iterator(id, transport, (now, jitter))?;
            requests.extend(iterator.map(|iterator| (id.clone(), iterator)));
        }
        // The pause of a shard begins with its call, and getting iterators takes time.
        let now = clock.now();
        let pages = match requests.is_empty() {
            true => Vec::new(),
            false => self.transport.records(&requests),
        };
        for ((id, _), page) in requests.into_iter().zip(pages) {
            self.take(id, page, now, events)?;
        }
        Ok(found)
    }

    fn take(
        &mut self,
        id: ShardId,
        page: Result<RecordPage, ReadFailure>,
        now: Timestamp,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Error> {
        let quiet = (!self.transport.is_pushed()).then_some(self.quiet_pause);
        let Some(shard) = self.shards.get_mut(&id) else { return Ok(()) };
        let Progress::Reading(cursor) = &mut shard.progress else { return Ok(()) };
        let page = match page {
            Ok(page) => page,
            Err(failure) => return cursor.failed(failure, now, &mut self.jitter),
        };
        if !cursor.take(&page, now, quiet) {
            shard.progress = Progress::AtEnd;
            self.listing = Some(self.listing.map_or(now, |due| due.min(now)));
        }
        let mut batch = Batch::default();
        (batch.records, batch.millis_behind_latest) = (page.records, page.millis_behind_latest);
        events.push(StreamEvent::Records(id, batch));
        Ok(())
    }
}

/// Returns the place where the first iterator of a shard begins.
fn place_of(id: &ShardId, position: &StreamPosition) -> IteratorPlace {
    match position.shards.get(id) {
        Some(Some(applied)) => IteratorPlace::After(applied.number.clone()),
        _ if !position.initial.contains(id) => IteratorPlace::TrimHorizon,
        _ => match position.start {
            StreamStart::TrimHorizon => IteratorPlace::TrimHorizon,
            StreamStart::Latest => IteratorPlace::Latest,
            StreamStart::AtTime(time) => IteratorPlace::AtTime(time),
        },
    }
}
