/// What a check finds inside.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pub(crate) queues: usize,
    pub(crate) parked: usize,
    /// How many tasks are counted in.
    pub(crate) waiters: usize,
    /// When the first waiter is out of time.
    pub(crate) first: Option<BootTime>,
}

impl LocalQueues {
    pub(crate) fn probe(&self) -> Probe {
        let mut probe = Probe { waiters: self.waiters.load(Ordering::Relaxed), ..Probe::default() };
        for shard in &self.shards {
            for queue in lock(shard).queues.values() {
                probe.queues += 1;
                probe.parked += usize::from(queue.parked.is_some());
                let present = queue.followers.iter().flat_map(|followers| followers.waiters.present());
                let first = present.map(|waiter| waiter.until).min();
                probe.first = probe.first.into_iter().chain(first).min();
            }
        }
        probe
    }
}
