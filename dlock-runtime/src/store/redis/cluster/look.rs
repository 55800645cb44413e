//! Asking nodes which master has which slots: one question at a time, and not too often.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use redis::{RedisError, RedisResult, Value};
use tokio::time::{sleep, timeout};

use super::{
    super::{
        combiner::Combiner,
        connections::Connections,
        exchange::{self, Exchange},
        outcome::UnderWay,
        subscriber::bounded,
    },
    Nodes, error,
    map::{self, Range},
    table::Node,
};
use crate::{
    store::{ErrorClass, StoreError},
    types::boot_time::BootTime,
};

/// The least time from one look to the next.
const APART: Duration = Duration::from_millis(100);

/// How long a node may take to answer, at least.
const PATIENCE: Duration = Duration::from_millis(750);

/// Once one of them has answered, the others are waited for so long at most.
const GRACE: Duration = Duration::from_millis(50);

/// So many are asked at once.
const AT_ONCE: usize = 4;

/// The looks that are under way.
#[derive(Default)]
pub(super) struct Looks {
    under_way: UnderWay,
    /// When the last one began.
    last: AtomicU64,
    /// Who is asked first is another one each time.
    turn: AtomicUsize,
    /// How long a node may take to answer, in milliseconds, if that is more than [`PATIENCE`].
    patience: AtomicU64,
}

impl Looks {
    /// A way on which other requests may take so long, as a handshake of TLS may, is as long for this question.
    pub(super) fn be_as_patient_as(&self, reply_timeout: Duration) {
        let millis = u64::try_from(bounded(reply_timeout).as_millis()).unwrap_or(u64::MAX);
        self.patience.fetch_max(millis, Ordering::Relaxed);
    }

    pub(super) fn patience(&self) -> Duration {
        PATIENCE.max(Duration::from_millis(self.patience.load(Ordering::Relaxed)))
    }
}

/// What a node says.
struct View {
    ranges: Vec<Range>,
    /// Whether its cluster works, as it sees it, and how new that is.
    age: (bool, u64),
}

/// Who answered, and what.
type Answer = (Arc<Node>, Result<View, StoreError>);

impl Nodes {
    /// Asks which master has which slots.
    ///
    /// # Errors
    /// Why nobody says so.
    pub(super) async fn look(self: &Arc<Self>) -> Result<(), StoreError> {
        self.looks.under_way.begin(|| Arc::clone(self).ask_around_in_time())?.wait().await
    }

    async fn ask_around_in_time(self: Arc<Self>) -> Result<(), StoreError> {
        let last = BootTime::from_bits(self.looks.last.load(Ordering::Relaxed));
        let now = BootTime::now();
        if last <= now {
            sleep(last.after(APART).since(now)).await;
        }
        self.looks.last.store(BootTime::now().to_bits(), Ordering::Relaxed);
        self.ask_around().await
    }

    async fn ask_around(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut known = self.table().masters().to_vec();
        let is_first = known.is_empty();
        if !is_first {
            let turn = self.looks.turn.fetch_add(1, Ordering::Relaxed) % known.len();
            known.rotate_left(turn);
        }
        let seeds = self.seeds.iter().filter(|seed| !known.iter().any(|node| node.place == seed.place)).cloned();
        let all = seeds.collect::<Vec<_>>();
        let all = [known, all].concat();
        // The seeds are asked if none of the others answers.
        let (mut rest, mut failed) = (&*all, Vec::new());
        while !rest.is_empty() {
            let (some, others) = rest.split_at(rest.len().min(AT_ONCE));
            rest = others;
            let mut best: Option<(Arc<Node>, View)> = None;
            for (node, answer) in ask(some, self.looks.patience()).await {
                match answer {
                    Ok(view) if best.as_ref().is_none_or(|(_, before)| before.age < view.age) => {
                        best = Some((node, view))
                    }
                    Ok(_) => {}
                    Err(error) => failed.push((node, error)),
                }
            }
            if let Some((node, view)) = best {
                return self.take_up(&node, view.ranges);
            }
        }
        Err(error::no_map(failed))
    }

    /// Takes up what `asked` said.
    fn take_up(&self, asked: &Node, ranges: Vec<Range>) -> Result<(), StoreError> {
        if ranges.is_empty() {
            return Err(StoreError::new(ErrorClass::Transient, error::NoSlots(Arc::clone(&asked.place.name))));
        }
        let ranges = ranges.into_iter().map(|Range { first, last, master }| {
            let node = self.node_at(&master, asked);
            (first, last, node)
        });
        let ranges = ranges.collect::<Vec<_>>();
        let (gone, is_new) = self.table_mut().replace(ranges, BootTime::now());
        for node in &gone {
            node.redis.connections.end();
        }
        if is_new || !gone.is_empty() {
            self.has_changed();
        }
        // They are asked again if nobody else answers.
        self.seeds
            .iter()
            .filter_map(|seed| seed.redis.connections.here().ok())
            .for_each(|connection| connection.replace());
        Ok(())
    }
}

/// Asks some nodes at once, until all have answered, or one of them has and the others take long.
async fn ask(nodes: &[Arc<Node>], patience: Duration) -> Vec<Answer> {
    let mut asked: Vec<Pin<Box<dyn Future<Output = Answer> + Send + '_>>> = Vec::new();
    for node in nodes {
        asked.push(Box::pin(async move {
            let view = exchange::run(&node.redis.connections, None, patience, Question);
            let view = match timeout(patience, view).await {
                Ok(Ok(view)) => view.map_err(|refusal| error::refused(&node.place, refusal)),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(StoreError::timed_out(&node.place.name, patience)),
            };
            (Arc::clone(node), view)
        }));
    }
    let (mut answers, mut end) = (Vec::new(), None);
    poll_fn(|cx| {
        asked.retain_mut(|answer| {
            let Poll::Ready(answer) = answer.as_mut().poll(cx) else { return true };
            answers.push(answer);
            false
        });
        if asked.is_empty() {
            return Poll::Ready(());
        }
        if !answers.iter().any(|(_, answer)| answer.is_ok()) {
            return Poll::Pending;
        }
        end.get_or_insert_with(|| Box::pin(sleep(GRACE))).as_mut().poll(cx)
    })
    .await;
    answers
}

struct Question;

impl Exchange for Question {
    /// What the node says; or why it says nothing, if that will not change by itself.
    type Output = Result<View, RedisError>;

    async fn send(&mut self, _: &Connections, connection: &Combiner, _: bool) -> RedisResult<Self::Output> {
        let mut questions = redis::pipe();
        questions.cmd("CLUSTER").arg("SLOTS").cmd("CLUSTER").arg("INFO");
        let mut replies = connection.batch(&mut questions).await?.into_iter();
        let ranges = match replies.next().unwrap_or(Ok(Value::Nil)) {
            Ok(reply) => map::ranges(reply)?,
            Err(error) if error::is_lasting(&error) => return Ok(Err(error)),
            Err(error) => return Err(error),
        };
        // Who may not know this goes by the first answer.
        let info: Option<String> =
            replies.next().and_then(Result::ok).and_then(|info| redis::from_redis_value(info).ok());
        Ok(Ok(View { ranges, age: map::age(&info.unwrap_or_default()) }))
    }
}
