//! A tuple of one to twelve aggregates is an aggregate: it computes all their answers in one pass.
//!
//! A record is added to all of them or, if one refuses it, to none.

use super::{Aggregate, Hints, Invertible, Persistence, Reductions, description, seed_fingerprint};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::hash::{Seed, hash_u64};
use crate::time::Timestamp;

/// Returns the seeds of several aggregates as one number; 0 if none has a seed.
fn combined(fingerprints: &[u64]) -> u64 {
    if fingerprints.iter().all(|fingerprint| *fingerprint == 0) {
        return 0;
    }
    fingerprints.iter().fold(1, |combined, fingerprint| hash_u64(Seed::new(combined), *fingerprint))
}

macro_rules! tuple {
    ($($aggregate:ident $index:tt),+) => {
        impl<R: ?Sized, $($aggregate: Aggregate<R>),+> Aggregate<R> for ($($aggregate,)+) {
            type Accumulator = ($($aggregate::Accumulator,)+);
            type Output = ($($aggregate::Output,)+);

            fn validate(&self) -> Result<(), Error> {
                $(self.$index.validate()?;)+
                Ok(())
            }

            fn init(&self) -> Self::Accumulator {
                ($(self.$index.init(),)+)
            }

            #[inline]
            fn check(&self, accumulator: Option<&Self::Accumulator>, record: &R) -> Result<(), Error> {
                $(self.$index.check(accumulator.map(|parts| &parts.$index), record)?;)+
                Ok(())
            }

            #[inline]
            fn add(&self, accumulator: &mut Self::Accumulator, record: &R, time: Timestamp) {
                $(self.$index.add(&mut accumulator.$index, record, time);)+
            }

            fn merge(&self, into: &mut Self::Accumulator, from: &Self::Accumulator) -> Result<(), Error> {
                $(self.$index.merge(&mut into.$index, &from.$index)?;)+
                Ok(())
            }

            fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
                ($(self.$index.inverse().is_some())&&+).then_some(self as _)
            }

            fn output(&self, accumulator: &Self::Accumulator) -> Self::Output {
                ($(self.$index.output(&accumulator.$index),)+)
            }

            #[inline]
            fn state_bytes(&self, accumulator: &Self::Accumulator) -> usize {
                // The size of the tuple, including padding, and the memory of each part in addition
                // to its own size.
                size_of_val(accumulator)
                    $(+ self.$index.state_bytes(&accumulator.$index).saturating_sub(size_of_val(&accumulator.$index)))+
            }

            fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
                $(self.$index.persistence()?;)+
                Ok(self)
            }

            #[inline]
            fn hints(&self) -> Hints {
                Hints::NOTHING$(.and(self.$index.hints()))+
            }
        }

        impl<R: ?Sized, $($aggregate: Aggregate<R>),+> Persistence<R, ($($aggregate::Accumulator,)+)> for ($($aggregate,)+) {
            fn describe(&self) -> String {
                let parts = [$(description::<R, $aggregate>(&self.$index)),+];
                format!("({})", parts.join(", "))
            }

            fn seed_fingerprint(&self) -> u64 {
                combined(&[$(seed_fingerprint::<R, $aggregate>(&self.$index)),+])
            }

            fn encode(&self, accumulator: &($($aggregate::Accumulator,)+), writer: &mut Writer) -> Result<(), Error> {
                $(self.$index.persistence()?.encode(&accumulator.$index, writer)?;)+
                Ok(())
            }

            fn decode(&self, reader: &mut Reader<'_>) -> Result<($($aggregate::Accumulator,)+), Error> {
                Ok(($(self.$index.persistence()?.decode(reader)?,)+))
            }

            fn reduce(&self, accumulator: &mut ($($aggregate::Accumulator,)+), tolerance: f64, reductions: &mut Reductions) {
                $(if let Ok(persistence) = self.$index.persistence() {
                    persistence.reduce(&mut accumulator.$index, tolerance, reductions);
                })+
            }
        }

        impl<R: ?Sized, $($aggregate: Aggregate<R>),+> Invertible<R, ($($aggregate::Accumulator,)+)> for ($($aggregate,)+) {
            fn prepare(&self, accumulator: &mut ($($aggregate::Accumulator,)+)) {
                $(if let Some(inverse) = self.$index.inverse() {
                    inverse.prepare(&mut accumulator.$index);
                })+
            }

            fn is_exact(&self, accumulator: &($($aggregate::Accumulator,)+)) -> bool {
                $(self.$index.inverse().is_some_and(|inverse| inverse.is_exact(&accumulator.$index)))&&+
            }

            fn subtract(&self, from: &mut ($($aggregate::Accumulator,)+), part: &($($aggregate::Accumulator,)+)) -> bool {
                $(self.$index.inverse().is_some_and(|inverse| inverse.subtract(&mut from.$index, &part.$index)))&&+
            }
        }
    };
}
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
