//! Chance that comes again.

/// Numbers that look random and are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    /// The next one, below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
