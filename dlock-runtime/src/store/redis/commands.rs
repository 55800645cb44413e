//! What is sent for each operation of the store.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use redis::{Cmd, RedisWrite};

use super::{
    super::{AcquireCommand, QUEUE_ENTRY_TTL, ReleaseCommand, RenewCommand},
    fence_clock::FenceClock,
    keys::{self, Keys},
    script::{
        self,
        Arg::{Millis, Number, Text},
        By,
    },
};
use crate::protocol::token::LockId;

/// `again` says whether it was asked before.
pub(super) fn acquire(command: &AcquireCommand, by: By, again: bool, clock: &FenceClock) -> Cmd {
    let token = command.lock_id.token.text();
    let waits = if command.waits { QUEUE_ENTRY_TTL } else { Duration::ZERO };
    let args = [
        Text(&token),
        Millis(command.ttl),
        Number(command.fences.into()),
        Text(&command.who),
        Number(clock.highest(&command.lock_id.name)),
        Millis(waits),
        Text(if again { "1" } else { "0" }),
    ];
    script::ACQUIRE.command(by, &Keys::of(&command.lock_id.name, clock).all(), &args)
}

/// The value is that which the script would set.
pub(super) fn plain_acquire(command: &AcquireCommand, now: SystemTime) -> Cmd {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| u64::try_from(age.as_micros()).unwrap_or(0));
    let mut plain = Cmd::with_capacity(6, 256);
    plain.arg("SET").arg(&*command.lock_id.name);
    plain.write_arg_fmt(format_args!("{} 0 {since} ({})", command.lock_id.token, command.who));
    plain.arg("NX").arg("PX").arg(script::millis(command.ttl));
    plain
}

pub(super) fn renew(
    RenewCommand { lock_id, ttl, shorten, more_fences }: &RenewCommand,
    by: By,
    clock: &FenceClock,
) -> Cmd {
    let token = lock_id.token.text();
    let shorten = Text(if *shorten { "1" } else { "0" });
    let args =
        [Text(&token), Millis(*ttl), shorten, Number((*more_fences).into()), Number(clock.highest(&lock_id.name))];
    // A slot that is on its way from one server of a cluster to another refuses scripts with several keys.
    if clock.is_per_slot() && *more_fences == 0 {
        return script::RENEW.command(by, &[&lock_id.name], &args);
    }
    script::RENEW.command(by, &[&lock_id.name, &clock.key(&lock_id.name)], &args)
}

pub(super) fn unlock(lock_id: &LockId, by: By) -> Cmd {
    script::UNLOCK.command(by, &[&lock_id.name], &[Text(&lock_id.token.text())])
}

pub(super) fn release(command: &ReleaseCommand, by: By, clock: &FenceClock) -> Cmd {
    let token = command.lock_id.token.text();
    let queue_entry = command.queue_entry.as_deref().map(queue_entry).unwrap_or_default();
    let args = [Text(&token), Text(&queue_entry), Number(clock.highest(&command.lock_id.name))];
    script::RELEASE.command(by, &Keys::of(&command.lock_id.name, clock).all(), &args)
}

/// Each asks for one fence.
pub(super) fn acquire_many(acquires: &[Arc<AcquireCommand>], by: By, clock: &FenceClock) -> Cmd {
    let mut command =
        script::ACQUIRE_MANY.begin(by, 1 + 2 * acquires.len(), 3 + 5 * acquires.len(), 256 * acquires.len());
    for (place, acquire) in acquires.iter().enumerate() {
        let name = &acquire.lock_id.name;
        command.arg(&**name);
        if place == 0 {
            command.arg(&*clock.key(name));
        }
        command.write_arg_fmt(keys::queue(name));
    }
    let first = acquires.first().map_or("", |acquire| &*acquire.lock_id.name);
    command.arg(acquires.len()).arg(clock.highest(first));
    for AcquireCommand { lock_id, ttl, who, .. } in acquires.iter().map(|acquire| &**acquire) {
        command.arg(&*lock_id.token.text());
        command.arg(script::millis(*ttl)).arg(who);
    }
    command
}

pub(super) fn release_many(releases: &[LockId], by: By) -> Cmd {
    let mut command = script::RELEASE_MANY.begin(by, releases.len(), 2 * releases.len(), 128 * releases.len());
    for LockId { name, .. } in releases {
        command.arg(&**name);
    }
    for LockId { token, .. } in releases {
        let mut text = token.text();
        text.push(b' ');
        command.arg(&*text);
    }
    command
}

pub(super) fn inspect(name: &Arc<str>, by: By, clock: &FenceClock) -> Cmd {
    script::INSPECT.command(by, &Keys::of(name, clock).all(), &[])
}

/// The queue entry of a command, with all that it takes to hand the lock over to it.
fn queue_entry(AcquireCommand { lock_id, ttl, fences, who, .. }: &AcquireCommand) -> String {
    format!("{} {} {fences} {who}", lock_id.token, script::millis(*ttl))
}
