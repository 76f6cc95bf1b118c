//! A stream with another number of shards, in the steps that Kinesis allows.

use super::advice::shards_needed;
use super::arguments::ScaleArguments;
use super::sample::Sample;
use super::{Region, wait_until_active};
use crate::failure::Failure;
use crate::session::say;
use crate::settings::duration;
use streamgauge::adapter::worker::SystemClock;

/// Changes of the number of shards that Kinesis takes for a stream in 24 hours.
const CHANGES_A_DAY: usize = 10;

/// Scales the stream in one region.
///
/// # Errors
/// Wrong usage, or a step that failed.
pub(super) fn scale(region: &Region, arguments: &ScaleArguments) -> Result<(), Failure> {
    let name = &arguments.name;
    let timeout = duration("--timeout", &arguments.timeout)?;
    let length = duration("--sample", &arguments.sample)?;
    let stream = region.streams.summary(name).map_err(|error| Failure::run(&error))?;
    if stream.is_on_demand {
        return Err(Failure::Run(format!(
            "{name} is in on-demand mode: Kinesis decides on its shards"
        )));
    }
    let target = match arguments.to {
        Some(shards) => shards.get(),
        None => {
            let sample = Sample::take(&mut region.stream(name)?, length, &mut SystemClock)?;
            shards_needed(&sample)
        }
    };
    let steps = steps(stream.open_shards, target);
    if steps.is_empty() {
        say(&format!("{name} has {target} shards already\n"));
        return Ok(());
    }
    if steps.len() > CHANGES_A_DAY {
        return Err(Failure::Run(format!(
            "from {} to {target} shards there are {} steps, and Kinesis allows {CHANGES_A_DAY} \
             in 24 hours: choose a number nearer to it",
            stream.open_shards,
            steps.len(),
        )));
    }
    let mut shards = stream.open_shards;
    for step in steps {
        let to_do = if arguments.dry_run { "would go" } else { "goes" };
        say(&format!("{name} {to_do} from {shards} to {step} shards\n"));
        shards = step;
        if !arguments.dry_run {
            region.streams.set_shards(name, step).map_err(|error| Failure::run(&error))?;
            wait_until_active(&region.streams, name, timeout)?;
        }
    }
    Ok(())
}

/// Returns the numbers of shards on the way: each at most double, and at least half of the one
/// before it.
fn steps(from: u32, to: u32) -> Vec<u32> {
    let mut steps = Vec::new();
    let mut now = from.max(1);
    while now != to {
        now = to.clamp(now.div_ceil(2), now.saturating_mul(2));
        steps.push(now);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s291_steps_at_most_double_and_at_least_halve() {
        for (from, to, way) in [
            (4, 4, &[][..]),
            (4, 8, &[8]),
            (4, 5, &[5]),
            (4, 9, &[8, 9]),
            (1, 10, &[2, 4, 8, 10]),
            (10, 1, &[5, 3, 2, 1]),
            (3, 1, &[2, 1]),
            (7, 4, &[4]),
            (0, 3, &[2, 3]),
        ] {
            assert_eq!(steps(from, to), way, "from {from} to {to}");
        }
        assert_eq!(steps(1, u32::MAX).len(), 32);
    }
}
