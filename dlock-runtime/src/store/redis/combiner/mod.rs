//! The commands of one connection. A command that finds few others under way goes out at once, by its own task. While more are
//! under way, commands gather, and travel together: one write and one wake-up for many of them, on both sides.
//!
//! This is group commit, as databases write their logs. There is no timer in it: a batch leaves when one before it came back, with
//! whatever has gathered by then.

mod asked;
mod carriers;
mod gathered;
mod waiting;

use std::{
    future::poll_fn,
    io,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
};

use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::{sync::oneshot, task::yield_now};

pub(super) use self::{
    asked::Asked,
    carriers::Carriers,
    gathered::{Gathered, IfAbandoned, Item},
};
use self::{carriers::Carrier, waiting::Waiting};
use super::{
    epoch::{Epoch, Told},
    groups::{Answer, Groups, Member},
    link::Link,
    route::Place,
};
use crate::{
    observe::caught::caught,
    system::{Handle, lock},
    types::boot_time::BootTime,
};

/// So many commands may be under way by themselves. To gather two or three would cost more than it saves. The simulation has few tasks,
/// and is to see what gathers.
const ALONE: u64 = if cfg!(dlock_simulation) { 1 } else { 4 };

/// So many batches may be under way: while the server works on one, the replies of the other are handed out. In a cluster the other is
/// that of another server, unless nobody asks any other: fewer and longer batches cost both sides less.
const BATCHES: usize = 2;

/// The most commands of a batch. A longer one would make its first command wait for its last.
const LONGEST: usize = 256;

/// A connection, and the commands that wait for their batch.
#[derive(Clone)]
pub(super) struct Combiner {
    shared: Arc<Shared>,
    /// Whether each command is about a slot of a cluster that is on its way to this server.
    is_asking: bool,
}

/// One that was taken out of service.
pub(super) struct Retired(Weak<Shared>);

impl Retired {
    /// The connection, if somebody uses it yet.
    pub(super) fn upgrade(&self) -> Option<Combiner> {
        self.0.upgrade().map(|shared| Combiner { shared, is_asking: false })
    }
}

struct Shared {
    connection: Link,
    /// Where it leads.
    place: Arc<Place>,
    /// Whether what comes over it counts for nothing any more.
    is_cut: AtomicBool,
    /// Where the connection lives, and so the tasks that carry batches.
    runtime: Handle,
    groups: Arc<Groups>,
    /// What is known of the server's life, if there is a failover guard.
    epoch: Option<Epoch>,
    waiting: Mutex<Waiting>,
    /// Held while a batch is put on its way.
    order: Mutex<()>,
    last_reply: AtomicU64,
}

impl Combiner {
    pub(super) fn new(
        connection: Link,
        runtime: Handle,
        place: Arc<Place>,
        groups: Arc<Groups>,
        epoch: Option<Epoch>,
    ) -> Self {
        let shared = Shared {
            connection,
            place,
            is_cut: AtomicBool::new(false),
            runtime,
            groups,
            epoch,
            waiting: Mutex::default(),
            order: Mutex::default(),
            last_reply: AtomicU64::new(BootTime::now().to_bits()),
        };
        Self { shared: Arc::new(shared), is_asking: false }
    }

    /// The same connection, for commands about a slot that is on its way to this server: each is sent right behind an `ASKING`, in
    /// one piece, so that no other command comes between the two.
    pub(super) fn asking(self) -> Self {
        Self { is_asking: true, ..self }
    }

    pub(super) fn place(&self) -> &Place {
        &self.shared.place
    }

    /// What a guarded script is told that is sent on this connection now.
    pub(super) fn told(&self) -> Option<Box<Told>> {
        self.shared.epoch.as_ref().map(|epoch| Box::new(epoch.told()))
    }

    /// The reply to a script that was `told` something, without what it says of the server, which is remembered.
    pub(super) fn learn(&self, told: Option<&Told>, mut reply: Value) -> Value {
        if let (Some(epoch), Some(told)) = (&self.shared.epoch, told) {
            epoch.learn(told, &mut reply);
        }
        reply
    }

    pub(super) fn downgrade(&self) -> Retired {
        Retired(Arc::downgrade(&self.shared))
    }

    /// Closes the connection. What still comes over it is no reply.
    pub(super) fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::Relaxed);
        self.shared.connection.cut();
    }

    /// The connection itself, for what is seldom asked.
    pub(super) fn connection(&self) -> Link {
        self.shared.connection.clone()
    }

    /// Sends many commands together. Each has a reply of its own.
    ///
    /// # Errors
    /// What became of the connection.
    pub(super) async fn batch(&self, commands: &mut Pipeline) -> RedisResult<Vec<RedisResult<Value>>> {
        if self.is_asking {
            return self.batch_asking(commands).await;
        }
        let replies = commands.ignore_errors().query_async(&mut self.connection()).await?;
        self.shared.note_reply()?;
        Ok(replies)
    }

    async fn batch_asking(&self, commands: &Pipeline) -> RedisResult<Vec<RedisResult<Value>>> {
        let mut each = Pipeline::with_capacity(2 * commands.len());
        for command in commands.cmd_iter() {
            each.cmd("ASKING").add_command(command.clone());
        }
        let replies: Vec<RedisResult<Value>> = each.ignore_errors().query_async(&mut self.connection()).await?;
        self.shared.note_reply()?;
        Ok(replies.into_iter().skip(1).step_by(2).collect())
    }

    /// When the server last replied on this connection.
    pub(super) fn last_reply(&self) -> BootTime {
        BootTime::from_bits(self.shared.last_reply.load(Ordering::Relaxed))
    }

    /// Sends a command. Commands of one task leave in the order in which they are sent. One that is not sent yet when its future is
    /// dropped may not be sent at all.
    ///
    /// # Errors
    /// What the server says to it, or what became of the connection.
    pub(super) async fn call(&self, command: Cmd, if_abandoned: IfAbandoned) -> RedisResult<Value> {
        Ok(self.ask(command, if_abandoned).await?.unwrap_or(Value::Nil))
    }

    /// The same, whose answer is never `None`.
    pub(super) fn ask(&self, command: Cmd, if_abandoned: IfAbandoned) -> Asked<'_> {
        if self.is_asking {
            return Asked::Alone(Box::pin(self.call_asking(command)));
        }
        match self.gather(command, 1, |command| Item::Command(command, if_abandoned)) {
            Ok(answer) => Asked::Gathered(answer),
            Err((command, number)) => Asked::Alone(Box::pin(self.call_alone(command, number))),
        }
    }

    /// `number` is how many have gone by themselves with this one.
    async fn call_alone(&self, command: Cmd, number: u64) -> RedisResult<Value> {
        let reply = self.connection().send_packed_command(&command).await?;
        self.shared.waiting().note_answered(number);
        self.shared.note_reply()?;
        reply.extract_error()
    }

    async fn call_asking(&self, command: Cmd) -> RedisResult<Value> {
        let mut alone = Pipeline::with_capacity(1);
        alone.add_command(command);
        self.batch_asking(&alone).await?.pop().unwrap_or(Ok(Value::Nil))
    }

    /// Sends a request in a script for many locks. `None` if it is to go by itself: nothing was done for it.
    ///
    /// # Errors
    /// As those of [`call`](Self::call).
    pub(super) fn together(&self, member: Member) -> Asked<'_> {
        if self.is_asking || !self.shared.groups.are_formed() {
            return Asked::LeftAlone;
        }
        self.gather(member, 0, Item::Member).map_or(Asked::LeftAlone, Asked::Gathered)
    }

    /// Has something gathered with others, unless it may go by itself. Then it comes back, `alone` commands will go for it, and the
    /// number says how many have gone by themselves with these.
    fn gather<T>(
        &self,
        it: T,
        alone: u64,
        item: impl FnOnce(T) -> Item,
    ) -> Result<oneshot::Receiver<Answer>, (T, u64)> {
        let mut waiting = self.shared.waiting();
        // Not while something is gathered that may be of the same task, and older.
        if waiting.carriers == 0 && waiting.alone() < ALONE {
            waiting.sent_alone += alone;
            return Err((it, waiting.sent_alone));
        }
        let (sender, reply) = oneshot::channel();
        waiting.gathered.push_back(Gathered { item: item(it), reply: sender });
        if waiting.coming == 0 && self.shared.may_set_out(waiting.carriers) {
            waiting.carriers += 1;
            waiting.coming += 1;
            drop(waiting);
            self.shared.runtime.spawn(self.clone().carry(self.shared.groups.carriers.set_out()));
        }
        Ok(reply)
    }

    /// Carries batches until nothing is gathered.
    async fn carry(self, _carrier: Carrier) {
        loop {
            // Who is ready now comes along.
            yield_now().await;
            if self.shared.groups.are_spread() {
                yield_now().await;
            }
            let begun = poll_fn(|cx| {
                // Batches leave in the order in which they gathered: the first poll puts one on its way.
                let _order = lock(&self.shared.order);
                let Some(batch) = self.shared.take() else { return Poll::Ready(None) };
                let mut carried = Box::pin(self.deliver(batch));
                let is_over = carried.as_mut().poll(cx).is_ready();
                Poll::Ready(Some((carried, is_over)))
            });
            match begun.await {
                Some((_, true)) => {}
                Some((carried, false)) => carried.await,
                None => return,
            }
        }
    }

    /// Sends a batch, and hands its replies out.
    async fn deliver(&self, batch: Vec<Gathered>) {
        let told = self.told();
        let (mut pipeline, riders) = self.shared.groups.load(batch, told.as_deref());
        let gone_before = self.shared.waiting().sent_alone;
        let replies = self.batch(&mut pipeline).await;
        {
            let mut waiting = self.shared.waiting();
            waiting.note_answered(gone_before);
            waiting.coming += 1;
        }
        let left = self.shared.groups.hand_out(riders, replies, |reply| self.learn(told.as_deref(), reply));
        if !left.is_empty() {
            // They have waited for longer than what gathered meanwhile.
            let mut waiting = self.shared.waiting();
            left.into_iter().rev().for_each(|release| waiting.gathered.push_front(release));
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Whether another task may carry batches beside those that do.
    fn may_set_out(&self, carriers: usize) -> bool {
        let all = if self.groups.are_spread() { self.groups.carriers.count() } else { carriers };
        carriers == 0 || all < BATCHES
    }

    /// # Errors
    /// If the connection was cut.
    fn note_reply(&self) -> RedisResult<()> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        }
        self.last_reply.store(BootTime::now().to_bits(), Ordering::Relaxed);
        Ok(())
    }

    /// What has gathered. `None` ends the carrier that asks.
    fn take(&self) -> Option<Vec<Gathered>> {
        let (mut batch, mut abandoned) = (Vec::new(), Vec::new());
        let mut waiting = self.waiting();
        waiting.coming -= 1;
        batch.reserve(waiting.gathered.len().min(LONGEST));
        while batch.len() < LONGEST
            && let Some(gathered) = waiting.gathered.pop_front()
        {
            if gathered.is_abandoned() { &mut abandoned } else { &mut batch }.push(gathered);
        }
        if batch.is_empty() {
            waiting.carriers -= 1;
        }
        drop(waiting);
        // With it goes a waker, which is the program's and may panic.
        caught(|| drop(abandoned));
        Some(batch).filter(|batch| !batch.is_empty())
    }
}

#[cfg(all(test, not(dlock_simulation)))]
mod tests;
