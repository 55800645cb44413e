//! What is sent for each operation of the store.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::Cmd;

use super::{
    super::{Claim, Leaving, Renewal, SEAT_COUNTS},
    script::{
        self,
        Arg::{Millis, Number, Text},
        By,
    },
};
use crate::key::{fence_name, queue_name, seen_name};

/// How long a fence record outlives its last use. The time floor of the fence makes any length safe; days leave
/// an operator something to find.
pub(super) const RECORD_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) fn acquire(claim: &Claim, by: By, kept: Duration) -> Cmd {
    let again = if claim.sent.load(Ordering::Acquire) { "1" } else { "0" };
    let token = claim.ticket.token.text();
    let waits = if claim.waits { SEAT_COUNTS } else { Duration::ZERO };
    let args = [
        Text(&token),
        Millis(claim.ttl),
        Number(claim.fences.into()),
        Text(&claim.who),
        Millis(kept),
        Millis(waits),
        Text(again),
    ];
    script::ACQUIRE.command(by, &Keys::of(&claim.ticket.name).all(), &args)
}

pub(super) fn renew(Renewal { ticket, ttl, shorten, more }: &Renewal, by: By, kept: Duration) -> Cmd {
    let token = ticket.token.text();
    let (fences, who) = more.as_ref().map_or((0, ""), |more| (more.fences.into(), more.who.as_str()));
    let shorten = Text(if *shorten { "1" } else { "0" });
    let args = [Text(&token), Millis(*ttl), shorten, Number(fences), Text(who), Millis(kept)];
    script::RENEW.command(by, &[&ticket.name, &fence_name(&ticket.name)], &args)
}

pub(super) fn release(leaving: &Leaving, by: By, kept: Duration) -> Cmd {
    let token = leaving.ticket.token.text();
    let rest = leaving.fences.and_then(|fences| Some((fences.to_return()?, fences.last())));
    let (used, last) = rest.map(|(used, last)| (used.to_string(), last.to_string())).unwrap_or_default();
    let seat = leaving.seat.as_deref().map(seat).unwrap_or_default();
    let args = [Text(&token), Text(&used), Text(&seat), Millis(kept), Text(&last)];
    script::RELEASE.command(by, &Keys::of(&leaving.ticket.name).all(), &args)
}

pub(super) fn inspect(name: &Arc<str>, by: By) -> Cmd {
    script::INSPECT.command(by, &Keys::of(name).all(), &[])
}

/// A lock and what lies beside it.
pub(super) struct Keys<'a> {
    lock: &'a str,
    fence: String,
    queue: String,
    seen: String,
}

impl<'a> Keys<'a> {
    pub(super) fn of(name: &'a str) -> Self {
        Self { lock: name, fence: fence_name(name), queue: queue_name(name), seen: seen_name(name) }
    }

    pub(super) fn all(&self) -> [&str; 4] {
        [self.lock, &self.fence, &self.queue, &self.seen]
    }
}

/// How a claim stands in the queue: with all that it takes to hand the lock over to it.
fn seat(Claim { ticket, ttl, fences, who, .. }: &Claim) -> String {
    format!("{} {} {fences} {who}", ticket.token, script::millis(*ttl))
}
