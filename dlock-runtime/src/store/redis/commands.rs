//! What is sent for each operation of the store.

use std::{sync::Arc, time::Duration};

use redis::{Cmd, RedisWrite};

use super::{
    super::{AcquireCommand, QUEUE_ENTRY_TTL, ReleaseCommand, RenewCommand},
    epoch::{self, Told},
    fence_clock::FenceClock,
    keys::{self, Keys},
    script::{
        self,
        Arg::{Millis, Number, Text},
        By, Comparison, Script,
    },
};
use crate::protocol::token::{LockId, Token, TokenText};

/// `again` says whether it was asked before. Here and below, a guarded script is `told` something.
pub(super) fn acquire(command: &AcquireCommand, by: By, again: bool, clock: &FenceClock, told: Option<&Told>) -> Cmd {
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
    let keys = Keys::of(&command.lock_id.name, clock);
    guarded(told, &script::ACQUIRE, &script::guarded::ACQUIRE, |script| script.command(by, &keys.all(), &args))
}

/// The value is that which the script would set. `since` is the time in microseconds.
pub(super) fn plain_acquire(command: &AcquireCommand, since: u64) -> Cmd {
    let mut plain = Cmd::with_capacity(6, 256);
    plain.arg("SET").arg(&*command.lock_id.name);
    write_plain_value(&mut plain, command, since);
    plain.arg("NX").arg("PX").arg(script::millis(command.ttl));
    plain
}

/// Deletes the lock if its value is still that which `taken_by` set: whoever marks it, or gets it, changes that.
pub(super) fn compare_and_delete(comparison: Comparison, taken_by: &AcquireCommand) -> Option<Cmd> {
    let since = taken_by.since()?;
    let mut command = Cmd::with_capacity(4, 256);
    match comparison {
        Comparison::DelIfEq => command.arg("DELIFEQ").arg(&*taken_by.lock_id.name),
        Comparison::DelEx => command.arg("DELEX").arg(&*taken_by.lock_id.name).arg("IFEQ"),
    };
    write_plain_value(&mut command, taken_by, since);
    Some(command)
}

fn write_plain_value(to: &mut Cmd, AcquireCommand { lock_id, who, .. }: &AcquireCommand, since: u64) {
    to.write_arg_fmt(format_args!("{} 0 {since} ({who})", lock_id.token));
}

pub(super) fn renew(renewal: &RenewCommand, by: By, clock: &FenceClock, told: Option<&Told>) -> Cmd {
    let RenewCommand { lock_id, ttl, shorten, more_fences, prior_grant } = renewal;
    let token = lock_id.token.text();
    let shorten = Text(if *shorten { "1" } else { "0" });
    let (last_fence, who) =
        prior_grant.as_ref().map_or((0, ""), |grant| (grant.last_fence, grant.acquired_by.who.as_str()));
    let args = [
        Text(&token),
        Millis(*ttl),
        shorten,
        Number((*more_fences).into()),
        Number(clock.highest(&lock_id.name)),
        Number(last_fence),
        Text(who),
    ];
    let args = if told.is_some() { &args[..] } else { &args[..5] };
    let keys = [&*lock_id.name, &clock.key(&lock_id.name)];
    // A slot that is on its way from one server of a cluster to another refuses scripts with several keys.
    let keys = if clock.is_per_slot() && *more_fences == 0 { &keys[..1] } else { &keys[..] };
    guarded(told, &script::RENEW, &script::guarded::RENEW, |script| script.command(by, keys, args))
}

pub(super) fn unlock(lock_id: &LockId, by: By) -> Cmd {
    script::UNLOCK.command(by, &[&lock_id.name], &[Text(&lock_id.token.text())])
}

pub(super) fn release(command: &ReleaseCommand, by: By, clock: &FenceClock, told: Option<&Told>) -> Cmd {
    let token = command.lock_id.token.text();
    let queue_entry = command.queue_entry.as_deref().map(queue_entry).unwrap_or_default();
    let args =
        [Text(&token), Text(&queue_entry), Number(clock.highest(&command.lock_id.name)), Number(command.last_fence)];
    let args = if told.is_some() { &args[..] } else { &args[..3] };
    let keys = Keys::of(&command.lock_id.name, clock);
    guarded(told, &script::RELEASE, &script::guarded::RELEASE, |script| script.command(by, &keys.all(), args))
}

/// Each asks for one fence.
pub(super) fn acquire_many(acquires: &[Arc<AcquireCommand>], by: By, clock: &FenceClock, told: Option<&Told>) -> Cmd {
    guarded(told, &script::ACQUIRE_MANY, &script::guarded::ACQUIRE_MANY, |script| {
        let mut command = script.begin(by, 1 + 2 * acquires.len(), 6 + 5 * acquires.len(), 256 * acquires.len());
        add_acquires(&mut command, acquires, clock);
        command
    })
}

fn add_acquires(command: &mut Cmd, acquires: &[Arc<AcquireCommand>], clock: &FenceClock) {
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
}

/// Each asks for one fence. Their locks may be of any slots that a master of a cluster has.
pub(super) fn acquire_many_slots(
    acquires: &[Arc<AcquireCommand>],
    by: By,
    clock: &FenceClock,
    told: Option<&Told>,
) -> Cmd {
    guarded(told, &script::ACQUIRE_MANY_SLOTS, &script::guarded::ACQUIRE_MANY_SLOTS, |script| {
        let mut command = script.begin(by, 0, 7 * acquires.len() + epoch::ARGS, 320 * acquires.len());
        let mut key = String::new();
        for AcquireCommand { lock_id, ttl, who, .. } in acquires.iter().map(|acquire| &**acquire) {
            let highest = clock.write_of_slot(&lock_id.name, &mut key);
            command.arg(&*lock_id.name).arg(&*key);
            keys::write_queue(&lock_id.name, &mut key);
            command.arg(&*key).arg(highest).arg(&*lock_id.token.text()).arg(script::millis(*ttl)).arg(who);
        }
        command
    })
}

/// Their locks may be of any slots that a master of a cluster has.
pub(super) fn release_many_slots(releases: &[ReleaseCommand], by: By) -> Cmd {
    let mut command = script::RELEASE_MANY_SLOTS.begin(by, 0, 2 * releases.len(), 128 * releases.len());
    for ReleaseCommand { lock_id, .. } in releases {
        command.arg(&*lock_id.name).arg(&*with_space(&lock_id.token));
    }
    command
}

pub(super) fn release_many(releases: &[ReleaseCommand], by: By) -> Cmd {
    let mut command = script::RELEASE_MANY.begin(by, releases.len(), 2 * releases.len(), 128 * releases.len());
    for ReleaseCommand { lock_id, .. } in releases {
        command.arg(&*lock_id.name);
    }
    for ReleaseCommand { lock_id, .. } in releases {
        command.arg(&*with_space(&lock_id.token));
    }
    command
}

/// What the value of a lock begins with that the token holds.
fn with_space(token: &Token) -> TokenText {
    let mut text = token.text();
    text.push(b' ');
    text
}

pub(super) fn inspect(name: &Arc<str>, by: By, clock: &FenceClock) -> Cmd {
    script::INSPECT.command(by, &Keys::of(name, clock).all(), &[])
}

/// For how long the server grants nothing yet.
pub(super) fn opens(told: &Told) -> Cmd {
    guarded(Some(told), &script::guarded::OPENS, &script::guarded::OPENS, |script| script.command(By::Text, &[], &[]))
}

/// A command of a script with a guard or without.
fn guarded(told: Option<&Told>, open: &Script, guarded: &Script, make: impl FnOnce(&Script) -> Cmd) -> Cmd {
    let mut command = make(if told.is_some() { guarded } else { open });
    if let Some(told) = told {
        told.write(&mut command);
    }
    command
}

/// The queue entry of a command, with all that it takes to hand the lock over to it.
fn queue_entry(AcquireCommand { lock_id, ttl, fences, who, .. }: &AcquireCommand) -> String {
    format!("{} {} {fences} {who}", lock_id.token, script::millis(*ttl))
}
