//! CPU time of this thread, so that a busy machine disturbs less.

use std::time::Instant;

/// Nanoseconds that `work` kept the CPU busy; wall time where the system does not tell.
pub fn nanos(work: impl FnOnce()) -> f64 {
    let (wall, cpu) = (Instant::now(), on_cpu());
    work();
    match (cpu, on_cpu()) {
        (Some(before), Some(after)) if after > before => (after - before) as f64,
        _ => wall.elapsed().as_nanos() as f64,
    }
}

/// Nanoseconds on the CPU so far, from the scheduler's own account (Linux).
fn on_cpu() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
