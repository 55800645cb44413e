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
        Self { next: first, end: first.saturating_add(u64::from(count)) }
    }

    /// The next one, each once and in order.
    pub(crate) fn take(&mut self) -> Option<u64> {
        let fence = self.next;
        (fence < self.end).then(|| {
            self.next += 1;
            fence
        })
    }

    /// The first above all of them.
    pub(crate) fn end(self) -> u64 {
        self.end
    }

    /// Whether there is one yet.
    pub(crate) fn is_empty(self) -> bool {
        self.next == self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fence_is_taken_once() {
        let mut fences = Fences::new(5, 2);
        assert_eq!((fences.take(), fences.take(), fences.take()), (Some(5), Some(6), None));
        assert!(fences.is_empty());
    }
}
