/// What a check finds inside.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pub(crate) lines: usize,
    pub(crate) parked: usize,
    /// How many tasks are counted in.
    pub(crate) waiters: usize,
    /// When the first one in line is out of time.
    pub(crate) first: Option<Moment>,
}

impl Gates {
    pub(crate) fn probe(&self) -> Probe {
        let mut probe = Probe { waiters: self.waiters.load(Ordering::Relaxed), ..Probe::default() };
        for shard in &self.shards {
            for line in lock(shard).lines.values() {
                probe.lines += 1;
                probe.parked += usize::from(line.parked.is_some());
                let present = line.crowd.iter().flat_map(|crowd| crowd.queue.present());
                let first = present.map(|waiter| waiter.until).min();
                probe.first = probe.first.into_iter().chain(first).min();
            }
        }
        probe
    }
}
