//! The tuple of no aggregates, for users who only want to know which windows have records.

use super::{Aggregate, Hints, Persistence};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::time::Timestamp;

impl<R: ?Sized> Aggregate<R> for () {
    type Accumulator = ();
    type Output = ();

    fn init(&self) {}

    fn add(&self, (): &mut (), _record: &R, _time: Timestamp) {}

    fn merge(&self, (): &mut (), (): &()) -> Result<(), Error> {
        Ok(())
    }

    fn output(&self, (): &()) {}

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints::CHECKS_RECORD
    }
}

impl<R: ?Sized> Persistence<R, ()> for () {
    fn describe(&self) -> String {
        String::from("()")
    }

    fn encode(&self, (): &(), _writer: &mut Writer) -> Result<(), Error> {
        Ok(())
    }

    fn decode(&self, _reader: &mut Reader<'_>) -> Result<(), Error> {
        Ok(())
    }
}
