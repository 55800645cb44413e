//! Medians, percentiles, and a histogram that millions of waits fit into.

use std::time::Duration;

/// The value below which `percent` of a hundred of the values lie; the greatest for 100, zero if there are none.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The median of what the rounds gave, and where the middle 80% of them lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// A tenth of the rounds gave less.
    pub low: f64,
    /// Half of the rounds gave less.
    pub median: f64,
    /// A tenth of the rounds gave more.
    pub high: f64,
}

impl Spread {
    /// Over all rounds.
    pub fn of(rounds: &[f64]) -> Self {
        let [low, median, high] = [10, 50, 90].map(|percent| percentile(rounds, percent));
        Self { low, median, high }
    }

    /// One side over another one, round by round.
    pub fn of_ratios(over: &[f64], under: &[f64]) -> Self {
        Self::of(&over.iter().zip(under).map(|(over, under)| over / under).collect::<Vec<_>>())
    }
}

impl From<f64> for Spread {
    fn from(value: f64) -> Self {
        Self { low: value, median: value, high: value }
    }
}

/// Buckets within each power of two: a value is known to about 3%.
const STEPS: usize = 32;
const BITS: u32 = STEPS.trailing_zeros();

/// Spans of time, counted by size.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    worst: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (65 - BITS as usize) * STEPS], worst: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one more.
    pub fn add(&mut self, span: Duration) {
        self.counts[bucket(nanos(span))] += 1;
        self.worst = self.worst.max(span);
    }

    /// Counts all that another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.worst = self.worst.max(other.worst);
    }

    /// The span below which `percent` of a hundred lie, to about 3%.
    pub fn percentile(&self, percent: u64) -> Duration {
        let wanted = self.counts.iter().sum::<u64>() * percent / 100;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen > wanted
        });
        found.map_or(self.worst, |at| Duration::from_nanos(floor_of(at)).min(self.worst))
    }

    /// The longest, exactly.
    pub fn worst(&self) -> Duration {
        self.worst
    }

    /// One word, for a pipe.
    pub fn to_word(&self) -> String {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let filled = filled.map(|(at, count)| format!("{at}:{count}")).collect::<Vec<_>>().join(",");
        format!("{};{filled}", nanos(self.worst))
    }

    /// What [`to_word`](Self::to_word) said.
    pub fn from_word(word: &str) -> Option<Self> {
        let (worst, filled) = word.split_once(';')?;
        let mut read = Self { worst: Duration::from_nanos(worst.parse().ok()?), ..Self::default() };
        for pair in filled.split(',').filter(|pair| !pair.is_empty()) {
            let (at, count) = pair.split_once(':')?;
            *read.counts.get_mut(at.parse::<usize>().ok()?)? = count.parse().ok()?;
        }
        Some(read)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn bucket(nanos: u64) -> usize {
    // Below `STEPS` each value has a bucket of its own.
    let shift = (64 - BITS).saturating_sub(nanos.leading_zeros() + 1);
    (shift as usize) * STEPS + (nanos >> shift) as usize
}

fn floor_of(bucket: usize) -> u64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    let step = bucket - shift * STEPS;
    (step as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_is_found_again_to_three_percent_and_never_above_itself() {
        for nanos in (0..64).flat_map(|shift| [1u64 << shift, (1 << shift) + (1 << shift) / 3, u64::MAX >> shift]) {
            let found = floor_of(bucket(nanos));
            assert!(found <= nanos && (nanos - found) as f64 <= nanos as f64 * 0.032, "{nanos} became {found}");
        }
    }

    #[test]
    fn percentiles_come_through_a_pipe() {
        let mut spans = Histogram::default();
        for micros in 1..=1000 {
            spans.add(Duration::from_micros(micros));
        }
        let heard = Histogram::from_word(&spans.to_word()).expect("what was said");
        assert_eq!(heard.worst(), Duration::from_millis(1));
        let median = heard.percentile(50).as_micros();
        assert!((484..=501).contains(&median), "{median}");
    }

    #[test]
    fn a_median_is_that_of_the_rounds() {
        assert_eq!(Spread::of_ratios(&[2., 9., 4.], &[1., 3., 4.]), Spread { low: 1., median: 2., high: 3. });
        assert_eq!(percentile(&[], 50), 0.);
    }
}
