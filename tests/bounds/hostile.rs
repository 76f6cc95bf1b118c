//! Keys chosen against a public seed, which anyone who reads this crate can do: their effect, and
//! that a secret seed prevents it.

use super::{Random, failures_credible, trials};
use streamgauge::Seed;
use streamgauge::hash::hash_u64;
use streamgauge::sketch::CountMin;

const WIDTH: usize = 1 << 16;
const DEPTH: usize = 5;

/// Chosen keys per row.
const KEYS: usize = 8;

/// The key that must look frequent although it never comes.
const VICTIM: u64 = 4_000_000_000_000;

/// How often each chosen key comes.
const TIMES: u64 = 1000;

/// Returns keys that share a counter with the victim, `KEYS` in each row, computed offline from the
/// source of [`CountMin`].
fn chosen_against(seed: Seed) -> Vec<u64> {
    let multipliers: Vec<u64> = (0..DEPTH as u64).map(|row| hash_u64(seed, row) | 1).collect();
    let place = |hash: u64, row: usize| {
        hash.wrapping_mul(multipliers[row]) >> (64 - WIDTH.trailing_zeros())
    };
    let victim = hash_u64(seed, VICTIM);
    let (mut chosen, mut found) = (Vec::new(), [0; DEPTH]);
    for key in 0..VICTIM {
        let hash = hash_u64(seed, key);
        let hit =
            (0..DEPTH).find(|&row| found[row] < KEYS && place(hash, row) == place(victim, row));
        if let Some(row) = hit {
            found[row] += 1;
            chosen.push(key);
        }
        if chosen.len() == KEYS * DEPTH {
            break;
        }
    }
    chosen
}

fn attacked(seed: Seed, keys: &[u64]) -> CountMin {
    let mut sketch = CountMin::with_shape(WIDTH, DEPTH).unwrap().seeded(seed);
    keys.iter().for_each(|key| sketch.add(key, TIMES));
    sketch
}

#[test]
fn keys_chosen_against_the_public_seed_break_it_and_change_nothing_under_a_secret_one() {
    let keys = chosen_against(Seed::PUBLIC);
    let broken = attacked(Seed::PUBLIC, &keys);
    let estimate = broken.estimate(&VICTIM);
    assert!(estimate.value >= KEYS as u64 * TIMES, "the attack works: {estimate:?}");
    assert!(
        estimate.lower > 0,
        "past the bound, which is of keys that nobody chooses: {estimate:?}"
    );

    let (mut lifted, mut beyond) = (0, 0);
    for trial in 0..trials() {
        let mut random = Random(trial);
        let estimate = attacked(Seed::new(random.next()), &keys).estimate(&VICTIM);
        lifted += u64::from(estimate.value > 0);
        beyond += u64::from(estimate.lower > 0);
    }
    // With a seed for which they were not chosen they are like any other keys: each shares a
    // counter with the victim in a row with a probability of 1 / width, and the victim is raised
    // only if that happens in every row.
    let p_lifted = (keys.len() as f64 / WIDTH as f64).powi(DEPTH as i32);
    assert!(
        lifted <= failures_credible(trials(), p_lifted),
        "lifted under {lifted} of {} secret seeds",
        trials()
    );
    let p_beyond = (-(DEPTH as f64)).exp();
    assert!(
        beyond <= failures_credible(trials(), p_beyond),
        "beyond the bound under {beyond} of {} secret seeds",
        trials()
    );
}

#[test]
fn the_same_keys_are_harmless_while_counts_are_exact() {
    let keys = chosen_against(Seed::PUBLIC);
    let mut exact = CountMin::with_shape(WIDTH, DEPTH).unwrap().exact_within(WIDTH);
    keys.iter().for_each(|key| exact.add(key, TIMES));
    assert!(exact.is_exact() && exact.estimate(&VICTIM).upper == 0);
}
