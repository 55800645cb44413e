//! Requests that travel as one script for many locks: what is asked of a script for one lock first and answers most requests.
//!
//! Each has a reply of its own. What such a script leaves alone (a lock that is taken, or that somebody waits for), and what
//! belongs to one that the server refuses as a whole, is asked for by itself: so an error is always about the request that gets it.
//!
//! A release that is left alone goes with the next batch, and does not wait for its caller: nobody looks at the reply of a guard that
//! was dropped, and somebody waits for its lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::oneshot;

use super::{
    super::{AcquireCommand, ReleaseCommand},
    classify::{self, Fault},
    combiner::{Carriers, Gathered, Item},
    commands,
    epoch::Told,
    fence_clock::FenceClock,
    script::{By, Form},
};
use crate::{observe::caught::caught, types::boot_time::BootTime};

/// The most locks of one script: the server does nothing else meanwhile.
pub(super) const MOST: usize = 64;

/// For how long requests go by themselves after such a script was refused.
const PAUSE: Duration = Duration::from_secs(1);

/// A request that may travel in a script for many.
pub(super) enum Member {
    Acquire(Arc<AcquireCommand>),
    /// Of a lock, without a queue entry.
    Release(ReleaseCommand),
}

/// What it is told: what the script replied for it, `None` if it was left alone.
pub(super) type Answer = RedisResult<Option<Value>>;

/// Which requests may travel together.
#[derive(Default)]
pub(super) struct Groups {
    form: Arc<Form>,
    fence_clock: Arc<FenceClock>,
    /// The number of a [`Reach`].
    reach: AtomicU8,
    paused_until: AtomicU64,
    acquires: Known,
    releases: Known,
    /// Who carries them to this server or others of its cluster.
    pub(super) carriers: Carriers,
}

/// How far a script for many locks reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It may not be sent: a proxy before several servers would send it to the server of the first lock, where nobody holds the others.
    Nothing,
    /// All keys lie on one server.
    Server,
    /// Locks of any slots that a master of a cluster has. It says itself which it has.
    Slots,
}

/// Whether the server knows a script, by its hash.
#[derive(Default)]
struct Known(AtomicBool);

impl Groups {
    pub(super) fn new(form: Arc<Form>, fence_clock: Arc<FenceClock>) -> Self {
        let paused_until = BootTime::START.to_bits().into();
        Self { form, fence_clock, paused_until, ..Self::default() }
    }

    /// The same for another server of the same cluster, which may not know the scripts.
    pub(super) fn beside(&self) -> Self {
        let other = Self::new(Arc::clone(&self.form), Arc::clone(&self.fence_clock));
        other.set_reach(self.reach());
        Self { carriers: self.carriers.clone(), ..other }
    }

    /// What is known of where locks lie.
    pub(super) fn set_reach(&self, reach: Reach) {
        self.reach.store(reach as u8, Ordering::Relaxed);
    }

    fn reach(&self) -> Reach {
        let reach = self.reach.load(Ordering::Relaxed);
        [Reach::Server, Reach::Slots].into_iter().find(|known| *known as u8 == reach).unwrap_or(Reach::Nothing)
    }

    /// Whether there may be scripts for many now.
    pub(super) fn are_formed(&self) -> bool {
        let paused_until = BootTime::from_bits(self.paused_until.load(Ordering::Relaxed));
        // It seldom was.
        let is_paused = paused_until != BootTime::START && BootTime::now() < paused_until;
        self.reach() != Reach::Nothing && !is_paused
    }

    /// Whether there are other servers, whose replies make tasks ready that are about to ask this one.
    pub(super) fn are_spread(&self) -> bool {
        self.reach() == Reach::Slots
    }

    /// Puts what has gathered on a pipeline. Releases come first: a task that gives a lock back and asks for it again, without
    /// waiting for a reply, finds it free.
    /// Scripts with a guard are `told` something.
    pub(super) fn load(&self, batch: Vec<Gathered>, told: Option<&Told>) -> (Pipeline, Vec<Rider>) {
        let (mut releases, mut acquires) = (Vec::new(), Vec::new());
        let (mut left_alone, mut others) = (Vec::new(), Vec::new());
        for Gathered { item, reply } in batch {
            match item {
                Item::Command(command, _) => others.push((command, reply)),
                Item::Member(Member::Acquire(command)) => acquires.push((command, reply)),
                Item::Member(Member::Release(release)) => releases.push((release, reply)),
                Item::LeftAlone(release) => left_alone.push((release, reply)),
            }
        }
        let (mut pipeline, mut riders) = (Pipeline::with_capacity(others.len() + 8), Vec::new());
        let is_spread = self.are_spread();
        for (release, reply) in left_alone {
            // The server may not know the hash, and nobody may be there to send the text then.
            pipeline.add_command(commands::release(&release, By::Text, &self.fence_clock, told));
            riders.push(Rider::LeftAlone(reply));
        }
        in_parts(releases, |part, replies| {
            let release_many = if is_spread { commands::release_many_slots } else { commands::release_many };
            pipeline.add_command(release_many(&part, self.by(&self.releases)));
            riders.push(Rider::Releases(part, replies));
        });
        for (command, reply) in others {
            pipeline.add_command(command);
            riders.push(Rider::One(reply));
        }
        in_parts(acquires, |part, replies| {
            let acquire_many = if is_spread { commands::acquire_many_slots } else { commands::acquire_many };
            pipeline.add_command(acquire_many(&part, self.by(&self.acquires), &self.fence_clock, told));
            riders.push(Rider::Acquires(replies, if is_spread { fences_of_slots } else { fences }));
        });
        (pipeline, riders)
    }

    /// The first one of a script goes by its text, and the next ones by its hash.
    fn by(&self, known: &Known) -> By {
        if known.0.swap(true, Ordering::Relaxed) && self.form.takes_hashes() { By::Hash } else { By::Text }
    }

    /// Hands out what came back, after `learn` has taken off what guarded scripts say of the server. Returns the releases that were
    /// left alone.
    #[must_use]
    pub(super) fn hand_out(
        &self,
        riders: Vec<Rider>,
        replies: RedisResult<Vec<RedisResult<Value>>>,
        learn: impl Fn(Value) -> Value,
    ) -> Vec<Gathered> {
        let mut left = Vec::new();
        let (mut replies, broken) = match replies {
            Ok(replies) => (replies.into_iter(), None),
            Err(error) => (Vec::new().into_iter(), Some(error)),
        };
        for rider in riders {
            let reply = match &broken {
                Some(error) => Err(error.clone()),
                None => replies.next().unwrap_or(Ok(Value::Nil)),
            };
            match rider {
                Rider::One(sender) => tell(sender, reply.map(Some)),
                Rider::Acquires(senders, fences) => {
                    self.hand_out_acquires(senders, reply.map(&learn).and_then(fences));
                }
                Rider::Releases(releases, senders) => {
                    left.extend(self.hand_out_releases(releases, senders, reply.and_then(released)));
                }
                Rider::LeftAlone(sender) => tell(sender, reply.map(|reply| Some(learn(reply))).or_else(unless_open)),
            }
        }
        left
    }

    fn hand_out_acquires(&self, senders: Vec<oneshot::Sender<Answer>>, fences: RedisResult<Vec<i64>>) {
        match fences {
            Ok(fences) => {
                // What is missing reads as nil, which is an error then.
                let replies = fences.into_iter().map(Value::Int).chain(std::iter::repeat(Value::Nil));
                for (sender, reply) in senders.into_iter().zip(replies) {
                    tell(sender, Ok(Some(reply).filter(|reply| *reply != Value::Int(0))));
                }
            }
            Err(error) => {
                let answer = self.refused(&self.acquires, error);
                senders.into_iter().for_each(|sender| tell(sender, answer.clone()));
            }
        }
    }

    /// Returns those that were left alone.
    fn hand_out_releases(
        &self,
        releases: Vec<ReleaseCommand>,
        senders: Vec<oneshot::Sender<Answer>>,
        released: RedisResult<Vec<bool>>,
    ) -> Vec<Gathered> {
        let released = match released.map_err(|error| self.refused(&self.releases, error)) {
            Ok(released) => released,
            Err(Ok(_)) => Vec::new(),
            Err(answer) => {
                senders.into_iter().for_each(|sender| tell(sender, answer.clone()));
                return Vec::new();
            }
        };
        let mut left = Vec::new();
        let released = released.into_iter().chain(std::iter::repeat(false));
        for ((release, reply), is_released) in releases.into_iter().zip(senders).zip(released) {
            if is_released {
                tell(reply, Ok(Some(Value::Int(1))));
            } else {
                left.push(Gathered { item: Item::LeftAlone(release), reply });
            }
        }
        left
    }

    /// A script for many was refused. What is certainly not carried out goes by itself.
    fn refused(&self, known: &Known, error: RedisError) -> Answer {
        if error.kind() == ServerErrorKind::NoScript.into() {
            known.0.store(false, Ordering::Relaxed);
            return Ok(None);
        }
        if self.fence_clock.wants_slots(&error) {
            self.set_reach(Reach::Nothing);
        }
        let is_refused = self.form.refuses_hashes(&error) || !is_open(&error);
        if is_refused {
            self.paused_until.store(BootTime::now().after(PAUSE).to_bits(), Ordering::Relaxed);
        }
        if is_refused { Ok(None) } else { Err(error) }
    }
}

/// The fences that `acquire_many.lua` gave, zero to those that were left alone. One text and one number are quick to read.
fn fences(reply: Value) -> RedisResult<Vec<i64>> {
    let (granted, first) = <(Vec<u8>, i64)>::from_redis_value(reply)?;
    Ok(granted.into_iter().zip(first..).map(|(digit, fence)| if digit == b'1' { fence } else { 0 }).collect())
}

/// The same of `acquire_many_slots.lua`, whose locks have fences of their slots' clocks.
fn fences_of_slots(reply: Value) -> RedisResult<Vec<i64>> {
    let (granted, _) = <(Vec<u8>, i64)>::from_redis_value(reply)?;
    // What is no number reads as nil later, which is an error then.
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
    Ok(granted.split(|byte| *byte == b' ').map_while(number).collect())
}

/// Which of them `release_many.lua` or `release_many_slots.lua` released.
fn released(reply: Value) -> RedisResult<Vec<bool>> {
    let released = Vec::<u8>::from_redis_value(reply)?;
    Ok(released.into_iter().map(|digit| digit == b'1').collect())
}

/// Whether the request may have been carried out.
fn is_open(error: &RedisError) -> bool {
    matches!(classify::classify(error), Fault::ConnectionBroken | Fault::Indeterminate)
}

/// What is certainly not carried out its caller may send by itself.
fn unless_open(error: RedisError) -> Answer {
    if is_open(&error) { Err(error) } else { Ok(None) }
}

/// Who waits for the reply of a command.
pub(super) enum Rider {
    One(oneshot::Sender<Answer>),
    /// And how the reply is read.
    Acquires(Vec<oneshot::Sender<Answer>>, fn(Value) -> RedisResult<Vec<i64>>),
    Releases(Vec<ReleaseCommand>, Vec<oneshot::Sender<Answer>>),
    LeftAlone(oneshot::Sender<Answer>),
}

fn tell(sender: oneshot::Sender<Answer>, answer: Answer) {
    // Wakers are the program's, and may panic.
    caught(|| _ = sender.send(answer));
}

fn in_parts<T>(members: Vec<(T, oneshot::Sender<Answer>)>, mut each: impl FnMut(Vec<T>, Vec<oneshot::Sender<Answer>>)) {
    let mut members = members.into_iter().peekable();
    while members.peek().is_some() {
        let (part, replies) = members.by_ref().take(MOST).unzip();
        each(part, replies);
    }
}
