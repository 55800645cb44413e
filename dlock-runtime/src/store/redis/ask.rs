//! Putting a question to the server, and once more when the connection turns out to have been dead.
//!
//! A connection that was idle may be dead without anybody knowing: a gateway forgot it, or the server closed it. So
//! when a connection from earlier breaks, or leads to a server that is not the master any more, the question goes
//! out again on a fresh one. A connection that was made for this very question has nothing to be forgiven.

use std::sync::{Arc, atomic::Ordering};

use redis::{Cmd, RedisResult, Value, aio::MultiplexedConnection};

use super::{
    super::{Fate, Reply},
    fate::{self, Class},
    link::{Link, Links},
    script::{self, By},
};
use crate::types::clock::Moment;

/// What is asked.
pub(super) trait Question: Send + 'static {
    type Answer: Send;

    /// Puts it. `doubled` says that an earlier copy may have been carried out, or may be yet.
    fn put(
        &mut self,
        links: &Links,
        connection: MultiplexedConnection,
        doubled: bool,
    ) -> impl Future<Output = RedisResult<Self::Answer>> + Send;

    /// Whether it does no harm if an earlier copy is carried out late.
    fn may_be_doubled(&self) -> bool {
        true
    }
}

/// Puts a question on the connection of the current tokio runtime.
///
/// No timer is in here: whoever asks brings one, and the answer may be awaited in another runtime than the
/// one that it was asked in, whose timers panic once that runtime has ended.
pub(super) fn ask<Q: Question>(links: &Arc<Links>, patience: std::time::Duration, mut question: Q) -> Reply<Q::Answer> {
    let links = Arc::clone(links);
    let ends = Moment::now().after(patience);
    Box::pin(async move {
        let mut watch = Watch { link: links.here()?, generation: 0, ends: None };
        let (mut repeated, mut doubled) = (false, false);
        loop {
            let used = match links.connect(&watch.link).await {
                Ok(used) => used,
                // The copy on the connection that broke may have been carried out.
                Err(error) if doubled => return Err(error.with(Fate::Unknown)),
                Err(error) => return Err(error),
            };
            (watch.generation, watch.ends) = (used.generation, Some(ends));
            let answer = question.put(&links, used.connection, doubled).await;
            watch.ends = None;
            let error = match answer {
                Ok(answer) => {
                    links.is_known();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let class = fate::classify(&error);
            if class.spoils_connection() {
                watch.link.abandon(used.generation);
                let harmless = class != Class::Broken || question.may_be_doubled();
                if !(used.fresh || repeated) && harmless {
                    repeated = true;
                    doubled |= class == Class::Broken;
                    continue;
                }
            }
            let error = links.told(error);
            let open = doubled && matches!(error.fate, Fate::NotYet | Fate::Unfit);
            return Err(if open { error.with(Fate::Unknown) } else { error });
        }
    })
}

/// Takes a connection out of service when a question on it was given up after its patience ended: the next question
/// makes a new one. Scripts may be asked again, so nothing is lost by that. A question that was dropped earlier says
/// nothing about the connection.
struct Watch {
    link: Arc<Link>,
    generation: u64,
    /// When it is over; `None` while there is nothing to wait for.
    ends: Option<Moment>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.ends.is_some_and(|end| end <= Moment::now()) {
            self.link.abandon(self.generation);
        }
    }
}

/// A script, by its hash if the server takes that.
pub(super) struct Run<C, L, T> {
    pub(super) by_hash: Option<Cmd>,
    pub(super) command: C,
    pub(super) leaves: L,
    pub(super) read: fn(Value, bool) -> RedisResult<T>,
}

impl<C, L, T> Question for Run<C, L, T>
where
    C: Fn(By) -> Cmd + Send + 'static,
    L: FnMut(bool) + Send + 'static,
    T: Send + 'static,
{
    type Answer = T;

    async fn put(&mut self, links: &Links, mut connection: MultiplexedConnection, doubled: bool) -> RedisResult<T> {
        (self.leaves)(doubled);
        if let Some(command) = &self.by_hash {
            match connection.send_packed_command(command).await.and_then(Value::extract_error) {
                Err(error) if script::is_unknown_script(&error) => {}
                Err(error) if script::takes_no_hash(&error) => links.by_text.store(true, Ordering::Relaxed),
                answer => return (self.read)(answer?, doubled),
            }
        }
        let by_text = (self.command)(By::Text);
        let answer = connection.send_packed_command(&by_text).await.and_then(Value::extract_error);
        (self.read)(answer?, doubled)
    }
}
