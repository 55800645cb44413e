//! What the answers of several sentinels mean together. Some of them lag behind, for seconds after a failover or for as long as they
//! are cut off.
//!
//! Each failover has a number of its own, the epoch of the master's configuration, and a higher one is newer. So the newest answer
//! counts, and among those of the same age the majority. A sentinel whose user may not say the epoch counts as the oldest.

/// Where a sentinel says that the master is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) epoch: Option<u64>,
}

impl Named {
    /// Whether both name the same server. One may name it by its address and another by its host name; then they differ.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        (&*self.host, self.port) == (&*other.host, other.port)
    }
}

/// The answer that counts. Of several that are as good as each other, that is the first.
pub(super) fn choose(named: &[Named]) -> Option<&Named> {
    let mut best: Option<(&Named, usize)> = None;
    for answer in named {
        let votes = votes(named, answer);
        if best.is_none_or(|(before, most)| (before.epoch, most) < (answer.epoch, votes)) {
            best = Some((answer, votes));
        }
    }
    best.map(|(answer, _)| answer)
}

/// How many name the same server and are as new.
fn votes(named: &[Named], answer: &Named) -> usize {
    named.iter().filter(|other| other.is_at(answer) && other.epoch == answer.epoch).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16, epoch: impl Into<Option<u64>>) -> Named {
        Named { host: "redis".to_owned(), port, epoch: epoch.into() }
    }

    #[test]
    fn the_newest_answer_counts_and_among_the_newest_the_majority() {
        assert_eq!(choose(&[]), None);
        assert_eq!(choose(&[at(1, 5), at(1, 5), at(2, 6)]), Some(&at(2, 6)), "two lag behind");
        assert_eq!(choose(&[at(2, 6), at(1, 5), at(1, 5)]), Some(&at(2, 6)));
        assert_eq!(choose(&[at(1, 5), at(2, 5), at(2, 5)]), Some(&at(2, 5)));
        assert_eq!(choose(&[at(1, 5), at(2, 5)]), Some(&at(1, 5)), "what is known already comes first, and stays");
        assert_eq!(choose(&[at(1, None), at(1, None), at(2, 0)]), Some(&at(2, 0)), "who may not say it is the oldest");
        assert_eq!(choose(&[at(1, None), at(2, None), at(2, None)]), Some(&at(2, None)));
    }
}
