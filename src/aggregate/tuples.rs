//! Tuples of one to twelve aggregates are an aggregate: all of their answers, in one pass.
//!
//! A record is added to all of them or, if one refuses it, to none.

use super::Aggregate;
use crate::error::Error;
use crate::time::Timestamp;

macro_rules! tuple {
    ($($aggregate:ident $index:tt),+) => {
        impl<R: ?Sized, $($aggregate: Aggregate<R>),+> Aggregate<R> for ($($aggregate,)+) {
            type Accumulator = ($($aggregate::Accumulator,)+);
            type Output = ($($aggregate::Output,)+);
            const CHECKS_ACCUMULATOR: bool = $($aggregate::CHECKS_ACCUMULATOR)||+;

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

            fn output(&self, accumulator: &Self::Accumulator) -> Self::Output {
                ($(self.$index.output(&accumulator.$index),)+)
            }

            #[inline]
            fn state_bytes(&self, accumulator: &Self::Accumulator) -> usize {
                // The tuple's own size, for what lies between its parts, and what each part holds beside itself.
                size_of_val(accumulator)
                    $(+ self.$index.state_bytes(&accumulator.$index).saturating_sub(size_of_val(&accumulator.$index)))+
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
