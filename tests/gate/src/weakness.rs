//! Mistakes that the gate could have. Each is made in a copy of its text, to see that a check catches it.

/// A mistake, as a change of the text.
pub struct Weakness {
    /// What is wrong.
    pub name: &'static str,
    /// A scenario that fails by it.
    pub caught_by: &'static str,
    /// Where it is.
    pub file: File,
    /// What stands in the gate, and what stands there instead.
    pub text: &'static str,
    /// See `text`.
    pub instead: &'static str,
}

/// A file of the gate.
#[derive(Clone, Copy)]
pub enum File {
    /// `local/queue/mod.rs`
    Gate,
    /// `local/queue/baton.rs`
    Place,
    /// `local/queue/line.rs`
    Line,
    /// `local/queue/waiters.rs`
    Queue,
}

/// No mistake: with few shards the scheduler has fewer orders to try where each of them is visited.
pub const FEW_SHARDS: Weakness = Weakness {
    name: "few_shards",
    caught_by: "",
    file: File::Gate,
    text: "const SHARDS: usize = 16;",
    instead: "const SHARDS: usize = 2;",
};

/// All of them.
pub const ALL: &[Weakness] = &[
    Weakness {
        name: "a_dropped_place_is_gone",
        caught_by: "a_dropped_place_goes_on",
        file: File::Place,
        text: "if !self.in_line && self.lease.is_none() && self.ask.is_none() {",
        instead: "if self.in_line {",
    },
    Weakness {
        name: "a_dropped_place_leaves_nothing_to_the_store",
        caught_by: "a_dropped_place_goes_on",
        file: File::Place,
        text: "(self.gates.left)(left);",
        instead: "drop(left);",
    },
    Weakness {
        name: "a_place_goes_with_who_left",
        caught_by: "who_leaves_is_skipped",
        file: File::Place,
        text: "Some(Err(Pass::Place(place))) => self = place,",
        instead: "Some(Err(Pass::Place(mut place))) => { place.in_line = false; return leaving.map(Left::Lease) }",
    },
    Weakness {
        name: "the_last_one_is_served_first",
        caught_by: "first_come_first_served",
        file: File::Queue,
        text: "self.slots.pop_front()",
        instead: "self.slots.pop_back()",
    },
    Weakness {
        name: "a_line_ends_though_somebody_joined",
        caught_by: "who_stays_gets_a_turn",
        file: File::Place,
        text: "        let linger = self.gates.rules.linger;",
        instead: "        drop(shard);\n        shuttle::thread::yield_now();\n        let mut shard = self.gates.shard(&self.name);
        let line = shard.lines.get_mut(&self.name)?;\n        let linger = self.gates.rules.linger;",
    },
    Weakness {
        name: "a_parked_lease_is_given_back_too",
        caught_by: "a_lease_is_parked_or_used",
        file: File::Place,
        text: "            drop(shard);\n            self.lease = None;",
        instead: "            drop(shard);",
    },
    Weakness {
        name: "a_wanted_lease_is_parked",
        caught_by: "a_lease_is_parked_or_used",
        file: File::Place,
        text: " && !lease.is_wanted()",
        instead: "",
    },
    Weakness {
        name: "a_lease_is_parked_after_the_end",
        caught_by: "close_leaves_nothing",
        file: File::Place,
        text: " && !closing",
        instead: "",
    },
    Weakness {
        name: "a_request_becomes_a_lease_in_two_steps",
        caught_by: "a_message_finds_request_or_lease",
        file: File::Place,
        text: "            line.ask = None;\n            line.lease = Some(Arc::clone(&lease));",
        instead: "            line.ask = None;\n        });\n        self.with_line(|line| {
            line.lease = Some(Arc::clone(&lease));",
    },
    Weakness {
        name: "a_request_is_not_known_in_its_line",
        caught_by: "a_request_goes_on_with_the_next",
        file: File::Place,
        text: "self.with_line(|line| line.ask = Some(Arc::clone(&ask)));",
        instead: "",
    },
    Weakness {
        name: "a_lease_is_not_told_what_was_said_too_early",
        caught_by: "a_message_finds_request_or_lease",
        file: File::Place,
        text: "if ask.is_some_and(|ask| ask.is_wanted()) {",
        instead: "if false {",
    },
    Weakness {
        name: "a_lease_that_was_given_back_is_forgotten",
        caught_by: "a_message_finds_request_or_lease",
        file: File::Place,
        text: "self.gates.note_taken(lease.id());",
        instead: "",
    },
    Weakness {
        name: "a_lease_that_is_over_stays_in_its_line",
        caught_by: "a_message_finds_request_or_lease",
        file: File::Place,
        text: "self.with_line(|line| line.lease = None);",
        instead: "",
    },
    Weakness {
        name: "a_lease_is_used_and_parked",
        caught_by: "a_lease_is_parked_or_used",
        file: File::Gate,
        text: "line.parked.take().is_some()",
        instead: "line.parked.is_some()",
    },
    Weakness {
        name: "a_lease_in_use_is_unparked",
        caught_by: "a_lease_is_parked_or_used",
        file: File::Gate,
        text: "        line.parked?;\n        shard.lines.remove(&lease.ticket.name)?.lease",
        instead: "        shard.lines.remove(&lease.ticket.name)?.lease",
    },
    Weakness {
        name: "a_lease_in_use_is_given_back_when_wanted",
        caught_by: "a_lease_is_parked_or_used",
        file: File::Gate,
        text: "        line.parked?;\n        shard.lines.remove(&ticket.name)?.lease",
        instead: "        shard.lines.remove(&ticket.name)?.lease",
    },
    Weakness {
        name: "a_parked_lease_is_wanted_in_vain",
        caught_by: "a_lease_is_parked_or_used",
        file: File::Gate,
        text: "        line.parked?;\n        shard.lines.remove(&ticket.name)?.lease",
        instead: "        None",
    },
    Weakness {
        name: "those_in_line_are_not_told_of_the_end",
        caught_by: "close_sends_everybody_away",
        file: File::Line,
        text: "if let Some(crowd) = self.crowd.take() {",
        instead: "if let Some(crowd) = None::<Box<Crowd>> {",
    },
    Weakness {
        name: "somebody_joins_after_the_end",
        caught_by: "close_leaves_nothing",
        file: File::Gate,
        text: "if shard.closing {",
        instead: "if false {",
    },
    Weakness {
        name: "the_end_takes_no_lease_out",
        caught_by: "close_leaves_nothing",
        file: File::Gate,
        text: "extract_if(|_, line| line.parked.is_some());",
        instead: "extract_if(|_, _| false);",
    },
    Weakness {
        name: "a_patrol_forgets_who_joined_meanwhile",
        caught_by: "a_patrol_comes_in_time",
        file: File::Gate,
        text: "self.patrol_at.fetch_min(next.to_bits(), Ordering::SeqCst);",
        instead: "self.patrol_at.store(next.to_bits(), Ordering::SeqCst);",
    },
    Weakness {
        name: "a_patrol_looks_before_it_listens",
        caught_by: "a_patrol_comes_in_time",
        file: File::Gate,
        text: "        self.patrol_at.fetch_min(next.to_bits(), Ordering::SeqCst);",
        instead: "        self.patrol_at.store(Moment::NEVER.to_bits(), Ordering::SeqCst);
        self.patrol_at.fetch_min(next.to_bits(), Ordering::SeqCst);",
    },
    Weakness {
        name: "a_patrol_is_not_called",
        caught_by: "whoever_is_out_of_time_is_sent_away",
        file: File::Gate,
        text: "            (self.call)();",
        instead: "",
    },
    Weakness {
        name: "a_patrol_sends_everybody_away",
        caught_by: "a_patrol_comes_in_time",
        file: File::Queue,
        text: "while self.first_deadline()? <= now {",
        instead: "while self.first_deadline()? <= Moment::NEVER {",
    },
    Weakness {
        name: "who_leaves_still_counts",
        caught_by: "no_more_than_so_many_wait",
        file: File::Gate,
        text: "        self.gates.waiters.fetch_sub(1, Ordering::Relaxed);",
        instead: "        let _ = &self.gates;",
    },
    Weakness {
        name: "who_is_refused_counts",
        caught_by: "no_more_than_so_many_wait",
        file: File::Gate,
        text: "            self.waiters.fetch_sub(1, Ordering::Relaxed);\n        }\n        in_bounds",
        instead: "        }\n        in_bounds",
    },
    Weakness {
        name: "many_see_the_last_seat",
        caught_by: "no_more_than_so_many_wait",
        file: File::Gate,
        text: "let in_bounds = self.waiters.fetch_add(1, Ordering::Relaxed) < self.rules.waiters;",
        instead: "let in_bounds = self.waiters.load(Ordering::Relaxed) < self.rules.waiters;
        self.waiters.fetch_add(1, Ordering::Relaxed);",
    },
    Weakness {
        name: "a_line_has_no_alarm",
        caught_by: "whoever_is_out_of_time_is_sent_away",
        file: File::Gate,
        text: "shard_now.raise_alarm(name, until);",
        instead: "",
    },
    Weakness {
        name: "an_alarm_is_not_set_again",
        caught_by: "a_patrol_comes_in_time",
        file: File::Gate,
        text: "self.alarms.push(Reverse((next, name)));",
        instead: "",
    },
    Weakness {
        name: "those_who_wait_for_an_answer_are_not_told",
        caught_by: "those_out_of_time_are_told_what_is_learned",
        file: File::Line,
        text: "sent_away.told.extend(late.map(|waiter| (waiter, Over::Known(known.verdict.clone()))));",
        instead: "std::mem::forget(late.collect::<Vec<_>>());",
    },
    Weakness {
        name: "those_who_wait_for_an_answer_are_lost_with_their_line",
        caught_by: "those_out_of_time_are_told_what_is_learned",
        file: File::Line,
        text: ".or_else(|| crowd.late.pop())",
        instead: "",
    },
    Weakness {
        name: "each_of_those_out_of_time_asks",
        caught_by: "those_out_of_time_are_told_what_is_learned",
        file: File::Line,
        text: "None if crowd.late_until < Moment::NEVER => crowd.late.push(late),",
        instead: "",
    },
];
