//! Mistakes that the local queue could have. Each is made in a copy of its text, to see that a check catches it.

/// A mistake, as a change of the text.
pub struct Weakness {
    /// What is wrong.
    pub name: &'static str,
    /// A scenario that fails by it.
    pub caught_by: &'static str,
    /// The file of `local/queue` where it is.
    pub file: &'static str,
    /// What stands there, and what stands there instead.
    pub text: &'static str,
    /// See `text`.
    pub instead: &'static str,
}

/// No mistake: with few shards the scheduler has fewer orders to try where each of them is visited.
pub const FEW_SHARDS: Weakness = Weakness {
    name: "few_shards",
    caught_by: "",
    file: "mod.rs",
    text: "const SHARDS: usize = 16;",
    instead: "const SHARDS: usize = 2;",
};

/// All of them.
pub const ALL: &[Weakness] = &[
    Weakness {
        name: "a_dropped_baton_is_gone",
        caught_by: "a_dropped_baton_goes_on",
        file: "baton.rs",
        text: "if !self.in_queue && self.lease.is_none() && self.pending.is_none() {",
        instead: "if self.in_queue {",
    },
    Weakness {
        name: "a_dropped_baton_leaves_nothing_to_the_store",
        caught_by: "a_dropped_baton_goes_on",
        file: "baton.rs",
        text: "(self.queues.release)(unneeded);",
        instead: "drop(unneeded);",
    },
    Weakness {
        name: "a_baton_goes_with_who_left",
        caught_by: "who_leaves_is_skipped",
        file: "baton.rs",
        text: "Some(Err(WaitEnd::Baton(baton))) => self = baton,",
        instead: "Some(Err(WaitEnd::Baton(mut baton))) => { baton.in_queue = false; return unusable.map(ToRelease::Lease) }",
    },
    Weakness {
        name: "the_last_one_is_served_first",
        caught_by: "first_come_first_served",
        file: "waiters.rs",
        text: "self.slots.pop_front()",
        instead: "self.slots.pop_back()",
    },
    Weakness {
        name: "a_queue_ends_though_somebody_joined",
        caught_by: "who_stays_gets_a_turn",
        file: "baton.rs",
        text: "        let linger = self.queues.rules.linger;",
        instead: "        drop(shard);\n        shuttle::thread::yield_now();\n        let mut shard = self.queues.shard(&self.name);
        let queue = shard.queues.get_mut(&self.name)?;\n        let linger = self.queues.rules.linger;",
    },
    Weakness {
        name: "a_parked_lease_is_given_back_too",
        caught_by: "a_lease_is_parked_or_used",
        file: "baton.rs",
        text: "            drop(shard);\n            self.lease = None;",
        instead: "            drop(shard);",
    },
    Weakness {
        name: "a_contended_lease_is_parked",
        caught_by: "a_lease_is_parked_or_used",
        file: "baton.rs",
        text: " && !lease.is_contended()",
        instead: "",
    },
    Weakness {
        name: "a_lease_is_parked_after_the_end",
        caught_by: "close_leaves_nothing",
        file: "baton.rs",
        text: " && !closing",
        instead: "",
    },
    Weakness {
        name: "a_request_becomes_a_lease_in_two_steps",
        caught_by: "a_message_finds_request_or_lease",
        file: "baton.rs",
        text: "            queue.pending = None;\n            queue.lease = Some(Arc::clone(&lease));",
        instead: "            queue.pending = None;\n        });\n        self.with_queue(|queue| {
            queue.lease = Some(Arc::clone(&lease));",
    },
    Weakness {
        name: "a_request_is_not_known_in_its_queue",
        caught_by: "a_request_goes_on_with_the_next",
        file: "baton.rs",
        text: "self.with_queue(|queue| queue.pending = Some(Arc::clone(&pending)));",
        instead: "",
    },
    Weakness {
        name: "a_lease_is_not_told_what_was_said_too_early",
        caught_by: "a_message_finds_request_or_lease",
        file: "baton.rs",
        text: "if pending.is_some_and(|pending| pending.is_contended()) {",
        instead: "if false {",
    },
    Weakness {
        name: "a_lease_that_was_given_back_is_forgotten",
        caught_by: "a_message_finds_request_or_lease",
        file: "baton.rs",
        text: "self.queues.remember_lease(lease.id());",
        instead: "",
    },
    Weakness {
        name: "a_lease_that_is_over_stays_in_its_queue",
        caught_by: "a_message_finds_request_or_lease",
        file: "baton.rs",
        text: "self.with_queue(|queue| queue.lease = None);",
        instead: "",
    },
    Weakness {
        name: "a_lease_is_used_and_parked",
        caught_by: "a_lease_is_parked_or_used",
        file: "mod.rs",
        text: "queue.parked.take().is_some()",
        instead: "queue.parked.is_some()",
    },
    Weakness {
        name: "a_lease_in_use_is_unparked",
        caught_by: "a_lease_is_parked_or_used",
        file: "parking.rs",
        text: "        queue.parked?;\n        shard.queues.remove(&lease.lock_id.name)?.lease",
        instead: "        shard.queues.remove(&lease.lock_id.name)?.lease",
    },
    Weakness {
        name: "a_lease_in_use_is_given_back_when_contended",
        caught_by: "a_lease_is_parked_or_used",
        file: "notifications.rs",
        text: "        queue.parked?;\n        shard.queues.remove(&lock_id.name)?.lease",
        instead: "        shard.queues.remove(&lock_id.name)?.lease",
    },
    Weakness {
        name: "a_parked_lease_is_contended_in_vain",
        caught_by: "a_lease_is_parked_or_used",
        file: "notifications.rs",
        text: "        queue.parked?;\n        shard.queues.remove(&lock_id.name)?.lease",
        instead: "        None",
    },
    Weakness {
        name: "those_in_queue_are_not_told_of_the_end",
        caught_by: "close_sends_everybody_away",
        file: "local_queue.rs",
        text: "if let Some(followers) = self.followers.take() {",
        instead: "if let Some(followers) = None::<Box<Followers>> {",
    },
    Weakness {
        name: "somebody_joins_after_the_end",
        caught_by: "close_leaves_nothing",
        file: "mod.rs",
        text: "if shard.closing {",
        instead: "if false {",
    },
    Weakness {
        name: "the_end_takes_no_lease_out",
        caught_by: "close_leaves_nothing",
        file: "parking.rs",
        text: "extract_if(|_, queue| queue.parked.is_some());",
        instead: "extract_if(|_, _| false);",
    },
    Weakness {
        name: "a_timeout_check_forgets_who_joined_meanwhile",
        caught_by: "a_timeout_check_comes_in_time",
        file: "timeouts.rs",
        text: "self.next_timeout.fetch_min(next.to_bits(), Ordering::SeqCst);",
        instead: "self.next_timeout.store(next.to_bits(), Ordering::SeqCst);",
    },
    Weakness {
        name: "a_timeout_check_looks_before_it_listens",
        caught_by: "a_timeout_check_comes_in_time",
        file: "timeouts.rs",
        text: "        self.next_timeout.fetch_min(next.to_bits(), Ordering::SeqCst);",
        instead: "        self.next_timeout.store(BootTime::NEVER.to_bits(), Ordering::SeqCst);
        self.next_timeout.fetch_min(next.to_bits(), Ordering::SeqCst);",
    },
    Weakness {
        name: "the_keeper_is_not_woken",
        caught_by: "whoever_is_out_of_time_is_sent_away",
        file: "timeouts.rs",
        text: "            (self.wake_keeper)();",
        instead: "",
    },
    Weakness {
        name: "a_timeout_check_sends_everybody_away",
        caught_by: "a_timeout_check_comes_in_time",
        file: "waiters.rs",
        text: "while self.next_deadline()? <= now {",
        instead: "while self.next_deadline()? <= BootTime::NEVER {",
    },
    Weakness {
        name: "who_leaves_still_counts",
        caught_by: "no_more_than_so_many_wait",
        file: "wait.rs",
        text: "        self.queues.waiters.fetch_sub(1, Ordering::Relaxed);",
        instead: "        let _ = (&self.queues, Ordering::Relaxed);",
    },
    Weakness {
        name: "who_is_refused_counts",
        caught_by: "no_more_than_so_many_wait",
        file: "mod.rs",
        text: "            self.waiters.fetch_sub(1, Ordering::Relaxed);\n        }\n        in_bounds",
        instead: "        }\n        in_bounds",
    },
    Weakness {
        name: "many_take_the_last_place",
        caught_by: "no_more_than_so_many_wait",
        file: "mod.rs",
        text: "let in_bounds = self.waiters.fetch_add(1, Ordering::Relaxed) < self.rules.waiters;",
        instead: "let in_bounds = self.waiters.load(Ordering::Relaxed) < self.rules.waiters;
        self.waiters.fetch_add(1, Ordering::Relaxed);",
    },
    Weakness {
        name: "a_queue_has_no_check",
        caught_by: "whoever_is_out_of_time_is_sent_away",
        file: "mod.rs",
        text: "shard_now.schedule_check(name, until);",
        instead: "",
    },
    Weakness {
        name: "a_check_is_not_scheduled_again",
        caught_by: "a_timeout_check_comes_in_time",
        file: "timeouts.rs",
        text: "self.checks.push(Reverse((next, name)));",
        instead: "",
    },
    Weakness {
        name: "those_who_wait_for_an_answer_are_not_told",
        caught_by: "those_out_of_time_are_told_what_is_learned",
        file: "local_queue.rs",
        text: "wakeups.timed_out.extend(waiters.map(|waiter| (waiter, TimedOut::LastAnswer(answer.verdict.clone()))));",
        instead: "std::mem::forget(waiters.collect::<Vec<_>>());",
    },
    Weakness {
        name: "those_who_wait_for_an_answer_are_lost_with_their_queue",
        caught_by: "those_out_of_time_are_told_what_is_learned",
        file: "local_queue.rs",
        text: ".or_else(|| followers.timed_out.pop())",
        instead: "",
    },
    Weakness {
        name: "each_of_those_out_of_time_asks",
        caught_by: "those_out_of_time_are_told_what_is_learned",
        file: "local_queue.rs",
        text: "None if followers.grace_until < BootTime::NEVER => followers.timed_out.push(waiter),",
        instead: "",
    },
];
