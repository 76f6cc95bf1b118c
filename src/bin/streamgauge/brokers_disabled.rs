//! Topics of Kafka as places of answers, in a build without Kafka.

use streamgauge::adapter::{AnswerFilesOptions, PartialTarget};
use streamgauge::{Error, ErrorKind};

pub(crate) fn for_place(_: &str, _: &mut AnswerFilesOptions) -> Result<(), Error> {
    Ok(())
}

pub(crate) fn target(topic: &str) -> Result<Box<dyn PartialTarget>, Error> {
    let message =
        format!("kafka:{topic}: this was built without Kafka; build it with the feature kafka");
    Err(Error::new(ErrorKind::Unsupported, message))
}
