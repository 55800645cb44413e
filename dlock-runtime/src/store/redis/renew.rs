//! Renewals: many in one pipeline, each with an answer of its own.

use std::sync::atomic::Ordering;

use redis::{RedisError, RedisResult, Value, aio::MultiplexedConnection};

use super::{
    super::{Renewal, Renewed, StoreError},
    ask::Question,
    commands::{self, RECORD_KEPT},
    fate,
    link::Links,
    reply,
    script::{self, By},
};

/// Renewals that are due together.
pub(super) struct Renewing(pub(super) Vec<Renewal>);

impl Question for Renewing {
    type Answer = Vec<Result<Renewed, StoreError>>;

    async fn put(
        &mut self,
        links: &Links,
        mut connection: MultiplexedConnection,
        _: bool,
    ) -> RedisResult<Self::Answer> {
        let all = self.0.iter().collect::<Vec<_>>();
        let mut answers = renew(&mut connection, &all, links, |_| By::Hash).await?;
        // After a restart or `SCRIPT FLUSH` the server does not know the script. `SCRIPT LOAD` may be forbidden, but what
        // was run by its text once is known too. Should that not do, as behind a proxy with several servers, each is sent
        // by its text.
        for first_only in [true, false] {
            let open = (0..answers.len()).filter(|&at| answers[at].as_ref().is_err_and(is_unknown)).collect::<Vec<_>>();
            if open.is_empty() {
                break;
            }
            if open.iter().any(|&at| answers[at].as_ref().is_err_and(script::takes_no_hash)) {
                links.by_text.store(true, Ordering::Relaxed);
            }
            let again = open.iter().map(|&at| all[at]).collect::<Vec<_>>();
            let by = |place| if first_only && place > 0 { By::Hash } else { By::Text };
            let again = renew(&mut connection, &again, links, by).await?;
            for (at, answer) in open.into_iter().zip(again) {
                answers[at] = answer;
            }
        }
        // What says that this is the wrong connection says so for all of them.
        if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err().filter(|error| is_wrong(error))) {
            return Err(error.clone());
        }
        Ok(answers
            .into_iter()
            .map(|answer| answer.and_then(reply::renewed).map_err(|error| links.told(error)))
            .collect())
    }

    /// A copy that comes late would shorten what was prolonged since.
    fn may_be_doubled(&self) -> bool {
        !self.0.iter().any(|renewal| renewal.shorten)
    }
}

/// Whether it is another form of the script that the server wants.
fn is_unknown(error: &RedisError) -> bool {
    script::is_unknown_script(error) || script::takes_no_hash(error)
}

fn is_wrong(error: &RedisError) -> bool {
    fate::classify(error).spoils_connection()
}

/// Sends them in one pipeline: the one at each place as `by` says, unless this server takes nothing but texts.
async fn renew(
    connection: &mut MultiplexedConnection,
    renewals: &[&Renewal],
    links: &Links,
    by: impl Fn(usize) -> By,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let by_text = links.by_text.load(Ordering::Relaxed);
    let mut pipeline = redis::pipe();
    for (place, renewal) in renewals.iter().enumerate() {
        let by = if by_text { By::Text } else { by(place) };
        pipeline.add_command(commands::renew(renewal, by, RECORD_KEPT));
    }
    pipeline.ignore_errors().query_async(connection).await
}
