//! The fences that were reserved for a lease: one for each turn.

/// A block of fences that nobody else gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fences {
    next: u64,
    end: u64,
}

impl Fences {
    /// `count` fences from `first` on.
    pub(crate) fn new(first: u64, count: u32) -> Self {
        Self { next: first, end: first + u64::from(count) }
    }

    /// The next one, each once and in order.
    pub(crate) fn take(&mut self) -> Option<u64> {
        let fence = self.next;
        (fence < self.end).then(|| {
            self.next += 1;
            fence
        })
    }

    /// Whether there is one yet.
    pub(crate) fn is_empty(self) -> bool {
        self.next == self.end
    }

    /// The last one of the block.
    pub(crate) fn last(self) -> u64 {
        self.end - 1
    }

    /// The last one that was taken, if others are to be given back: else the counter would run ahead of the time.
    pub(crate) fn to_return(self) -> Option<u64> {
        (!self.is_empty()).then(|| self.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fence_is_taken_once_and_the_rest_goes_back() {
        let mut fences = Fences::new(5, 3);
        assert_eq!(fences.take(), Some(5));
        assert_eq!((fences.to_return(), fences.last()), (Some(5), 7));
        assert_eq!((fences.take(), fences.take(), fences.take()), (Some(6), Some(7), None));
        assert_eq!(fences.to_return(), None, "there is no rest");
    }
}
