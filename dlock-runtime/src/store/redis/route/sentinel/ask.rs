//! The question to each of the sentinels: where the master is.

use std::{collections::HashMap, future::poll_fn, io, pin::Pin, sync::Arc, task::Poll, time::Duration};

use redis::{Client, RedisError, RedisResult, Value};

use tokio::time::{sleep, timeout};

use super::{
    super::super::{
        classify::{self, Fault},
        dial,
    },
    answers::Named,
};

/// Once one of them named the master, the others are waited for so long at most.
const GRACE: Duration = Duration::from_millis(200);

/// One of the sentinels.
pub(super) struct Sentinel {
    pub(super) client: Client,
    /// Host and port, for errors.
    pub(super) address: Arc<str>,
}

/// What a sentinel says of the master.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Named(Named),
    /// It knows no master of that name, but these.
    Unknown(Vec<String>),
    /// It is another kind of server.
    NoSentinel(RedisError),
    /// It does not let us in, or not ask.
    Refused(RedisError),
    /// It cannot be reached.
    Silent(RedisError),
}

/// An answer that is awaited, and the number of its sentinel.
type Awaited<'a> = Pin<Box<dyn Future<Output = (usize, Answer)> + Send + 'a>>;

/// Asks all sentinels at once, until all have answered, one is newer than what is `known`, or it takes too long. A majority is not enough:
/// the first to know of a failover is one alone. Each answer stands beside the address of its sentinel.
pub(super) async fn ask_all(
    sentinels: &[Sentinel],
    master: &str,
    known: Option<u64>,
    limit: Duration,
) -> Vec<(Arc<str>, Answer)> {
    let each = limit / 4 * 3;
    let mut asked: Vec<Awaited<'_>> = Vec::new();
    for (number, sentinel) in sentinels.iter().enumerate() {
        asked.push(Box::pin(async move {
            let answer = timeout(each, sentinel.ask(master)).await;
            let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {each:.1?}"));
            (number, answer.unwrap_or_else(|_| Answer::Silent(late().into())))
        }));
    }
    let (mut answers, mut is_named, mut is_newer, mut end) = (Vec::new(), false, false, None);
    poll_fn(|cx| {
        asked.retain_mut(|answer| {
            let Poll::Ready((number, answer)) = answer.as_mut().poll(cx) else { return true };
            if let Answer::Named(named) = &answer {
                is_named = true;
                is_newer |= known.is_some() && named.epoch > known;
            }
            answers.push((number, answer));
            false
        });
        if asked.is_empty() || is_newer {
            return Poll::Ready(());
        }
        if !is_named {
            return Poll::Pending;
        }
        end.get_or_insert_with(|| Box::pin(sleep(GRACE.min(limit / 4)))).as_mut().poll(cx)
    })
    .await;
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(number, answer)| (Arc::clone(&sentinels[number].address), answer)).collect()
}

impl Sentinel {
    /// Asks where the master is.
    pub(super) async fn ask(&self, master: &str) -> Answer {
        self.try_to_ask(master).await.unwrap_or_else(read_error)
    }

    async fn try_to_ask(&self, master: &str) -> RedisResult<Answer> {
        let mut link = dial::commands(&self.client, None).await?;
        let mut questions = redis::pipe();
        questions.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(master);
        questions.cmd("SENTINEL").arg("MASTER").arg(master);
        let replies: Vec<RedisResult<Value>> = questions.ignore_errors().query_async(&mut link).await?;
        let mut replies = replies.into_iter();
        let address = replies.next().unwrap_or(Ok(Value::Nil))?;
        let Some((host, port)) = redis::from_redis_value::<Option<(String, u16)>>(address)? else {
            let names = redis::cmd("SENTINEL").arg("MASTERS").query_async(&mut link).await;
            return Ok(Answer::Unknown(names.map(names_of).unwrap_or_default()));
        };
        // It names the promoted replica while the rest of its data is still that of the old master, and the epoch is the new one.
        let epoch = replies.next().and_then(Result::ok).and_then(|data| fields(data).get("config-epoch")?.parse().ok());
        Ok(Answer::Named(Named { host, port, epoch }))
    }
}

fn fields(data: Value) -> HashMap<String, String> {
    redis::from_redis_value(data).unwrap_or_default()
}

fn names_of(masters: Vec<Value>) -> Vec<String> {
    masters.into_iter().filter_map(|master| fields(master).remove("name")).collect()
}

fn read_error(error: RedisError) -> Answer {
    let error = classify::without_arguments(error);
    match classify::classify(&error) {
        Fault::Misconfigured if error.detail().is_some_and(|said| said.contains("unknown command")) => {
            Answer::NoSentinel(error)
        }
        Fault::Misconfigured | Fault::AccessDenied => Answer::Refused(error),
        _ => Answer::Silent(error),
    }
}
