//! Why a goal is not reached: what bounds the figures of a case, and what was tried. The report says it where a goal is missed.

/// By case.
const BOUNDS: &[(&str, &str)] = &[
    (
        "hot_key_one_process",
        "A turn takes 1.3 to 1.8 µs, and no function has more than a twentieth of it: three readings of the \
         clock, two hashes of the name, a wake-up, a deadline and a fence of its own, and counts. A mutex has none of these. Taken \
         out so far: timers of those in line, metrics looked up by name, spans that nobody listens to, a second lookup, ten atomic \
         counters. What rslock reaches over a fixed time is the rate of one task that takes the lock again and again while the \
         others sleep (its fewest/most), and changes by half from run to run.",
    ),
    (
        "hot_key_processes",
        "Within a process as above. Between processes a hand-over takes a release, a message and a wake-up on two cores that five \
         processes share; 3 ms of turns come before each, so a task waits for up to four of these, and longer when the scheduler \
         of the machine lets a process wait.",
    ),
    (
        "hot_key_single_tasks",
        "Every turn is a hand-over to another process: two requests, a message, and three wake-ups of processes on two cores that \
         five of them share. rslock's rate over a fixed time is that of one process that takes the lock again and again: see its \
         worst wait. Tried: one command to take the first out of the queue, chapters so that a hand-over runs through no more Lua \
         than it needs, one timer for all waiters, no timer that is due before the others.",
    ),
    (
        "hand_over",
        "The median is a release, a message and a wake-up. The longest is one of twenty rounds; it is that of the machine's \
         scheduler.",
    ),
    (
        "uncontended",
        "Two requests, as the floor has. With a fence the acquire is a script instead of a plain command, 3 times its time in \
         Redis. The rest is the client's: a place in the local queue, a lease in the keeper's schedule, two timers, ten readings of \
         the clock. On several threads a cycle needs 75 to 130 µs or 300 to 550 µs, for every side: this machine does not poll when \
         it is idle and packs tasks on one core, and a client that does a little more is more often in the slow mode.",
    ),
    (
        "many_keys",
        "Redis: `SET` inside Lua costs 3.6 µs where a plain one costs 1.1, and only a script can write a value that says its fence. \
         The client: no function has more than a twentieth of the profile; the heap has a sixth (18 blocks a cycle), timers 8%, \
         clocks 6%, what carries batches a tenth, the redis crate a tenth. Tried: requests that travel in one script or one write, \
         one reply as text for many, futures that fit into what the allocator keeps at hand, tokens without a formatter, no timer \
         of a request's own. The prototype that the goals come from had no local queue, no deadlines and no guard against \
         cancellation.",
    ),
    (
        "cluster",
        "The same requests leave on three connections: three writes and three wake-ups where there was one, and a third as many \
         locks in a script. A lock with a fence costs a master of a cluster three times what it costs one server, as each slot has a \
         fence clock of its own and a command touches one slot; and three masters take more of two cores from the client, and of its \
         caches, than one server does. Tried, and kept: one batch under way to each server instead of two; tasks come along that \
         became ready by the replies of another master; less to do at each clock. Tried, and not kept: what a clock says of its check \
         in one field, which takes as long to read and take apart as three.",
    ),
    (
        "leases",
        "A lease keeps its request (name, token, who), a record of its own, an entry of the local queue and one of the schedule. \
         Resident memory counts what the allocator cannot give back, too.",
    ),
];

/// What bounds a case, if that is known.
pub(crate) fn of(case: &str) -> Option<&'static str> {
    BOUNDS.iter().find(|(known, _)| *known == case).map(|(_, why)| *why)
}
