//! What is sent for each operation of the store.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::Cmd;

use super::{
    super::{AcquireCommand, QUEUE_ENTRY_TTL, ReleaseCommand, RenewCommand},
    keys::{self, Keys},
    script::{
        self,
        Arg::{Millis, Number, Text},
        By,
    },
};

/// How long a fence record outlives its last use. The time is a lower bound of fences, so any length is safe; days leave
/// an operator something to find.
pub(super) const RECORD_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) fn acquire(command: &AcquireCommand, by: By, kept: Duration) -> Cmd {
    let again = if command.sent.load(Ordering::Acquire) { "1" } else { "0" };
    let token = command.lock_id.token.text();
    let waits = if command.waits { QUEUE_ENTRY_TTL } else { Duration::ZERO };
    let args = [
        Text(&token),
        Millis(command.ttl),
        Number(command.fences.into()),
        Text(&command.who),
        Millis(kept),
        Millis(waits),
        Text(again),
    ];
    script::ACQUIRE.command(by, &Keys::of(&command.lock_id.name).all(), &args)
}

pub(super) fn renew(RenewCommand { lock_id, ttl, shorten, more }: &RenewCommand, by: By, kept: Duration) -> Cmd {
    let token = lock_id.token.text();
    let (fences, who) = more.as_ref().map_or((0, ""), |more| (more.fences.into(), more.who.as_str()));
    let shorten = Text(if *shorten { "1" } else { "0" });
    let args = [Text(&token), Millis(*ttl), shorten, Number(fences), Text(who), Millis(kept)];
    script::RENEW.command(by, &[&lock_id.name, &keys::fence(&lock_id.name)], &args)
}

pub(super) fn release(command: &ReleaseCommand, by: By, kept: Duration) -> Cmd {
    let token = command.lock_id.token.text();
    let rest = command.fences.and_then(|fences| Some((fences.to_return()?, fences.last())));
    let (used, last) = rest.map(|(used, last)| (used.to_string(), last.to_string())).unwrap_or_default();
    let queue_entry = command.queue_entry.as_deref().map(queue_entry).unwrap_or_default();
    let args = [Text(&token), Text(&used), Text(&queue_entry), Millis(kept), Text(&last)];
    script::RELEASE.command(by, &Keys::of(&command.lock_id.name).all(), &args)
}

pub(super) fn inspect(name: &Arc<str>, by: By) -> Cmd {
    script::INSPECT.command(by, &Keys::of(name).all(), &[])
}

/// The queue entry of a command, with all that it takes to hand the lock over to it.
fn queue_entry(AcquireCommand { lock_id, ttl, fences, who, .. }: &AcquireCommand) -> String {
    format!("{} {} {fences} {who}", lock_id.token, script::millis(*ttl))
}
