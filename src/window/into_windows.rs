//! Types that can be converted into windows.

use super::{Calendar, Global, Rows, Session, Sliding, Stagger, Tumbling, Windows};
use crate::error::Error;
use std::time::Duration;

/// A declaration of windows: [`Tumbling`], [`Sliding`], [`Calendar`], [`Session`], [`Stagger`],
/// [`Rows`], [`Global`], or a duration, which means tumbling windows of that size.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::window::IntoWindows;
/// assert_eq!(minutes(1).into_windows()?, Tumbling::new(minutes(1))?.into());
/// assert_eq!(millis(0).into_windows().unwrap_err().kind(), ErrorKind::InvalidArgument);
/// # Ok::<(), Error>(())
/// ```
pub trait IntoWindows {
    /// Returns the windows.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a length of time that
    /// no window can have: see [`Tumbling::new`].
    fn into_windows(self) -> Result<Windows, Error>;
}

impl IntoWindows for Duration {
    fn into_windows(self) -> Result<Windows, Error> {
        Tumbling::new(self).map(Windows::from)
    }
}

macro_rules! declarations {
    ($($name:ident)+) => {$(
        impl IntoWindows for $name {
            fn into_windows(self) -> Result<Windows, Error> {
                Ok(self.into())
            }
        }
    )+};
}
declarations!(Tumbling Sliding Calendar Session Stagger Rows Global Windows);
