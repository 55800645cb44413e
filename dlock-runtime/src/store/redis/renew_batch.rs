//! Renewals that are due together: many in one pipeline, each with a reply of its own.

use redis::{RedisError, RedisResult, Value};

use super::{
    super::{RenewCommand, RenewReply, StoreError},
    classify,
    combiner::Combiner,
    commands,
    connections::Connections,
    epoch::Told,
    exchange::Exchange,
    reply,
    script::By,
};

/// Renewals that are due together.
pub(super) struct RenewBatch(pub(super) Vec<RenewCommand>);

impl Exchange for RenewBatch {
    type Output = Vec<Result<RenewReply, StoreError>>;

    async fn send(&mut self, connections: &Connections, connection: &Combiner, _: bool) -> RedisResult<Self::Output> {
        let all = self.0.iter().collect::<Vec<_>>();
        let told = connection.told();
        let told = told.as_deref();
        let mut replies = renew(connection, &all, connections, told, |_| By::Hash).await?;
        // After a restart or `SCRIPT FLUSH` the server does not know the script. `SCRIPT LOAD` may be forbidden, but a script
        // that was run by its text once is known as well. If that is not enough, as behind a proxy with several servers, each
        // renewal is sent by its text.
        for first_only in [true, false] {
            let is_open = |&at: &usize| replies[at].as_ref().is_err_and(|error| connections.wants_another_form(error));
            let open = (0..replies.len()).filter(is_open).collect::<Vec<_>>();
            if open.is_empty() {
                break;
            }
            let again = open.iter().map(|&at| all[at]).collect::<Vec<_>>();
            let by = |place| if first_only && place > 0 { By::Hash } else { By::Text };
            let again = renew(connection, &again, connections, told, by).await?;
            for (at, reply) in open.into_iter().zip(again) {
                replies[at] = reply;
            }
        }
        // If one error says that this is the wrong connection, it is wrong for all of them.
        if let Some(error) =
            replies.iter().find_map(|reply| reply.as_ref().err().filter(|error| is_wrong_connection(error)))
        {
            return Err(error.clone());
        }
        let read = |(renewal, reply): (&RenewCommand, RedisResult<Value>)| {
            let reply = reply.and_then(reply::renew_reply);
            if let Ok(RenewReply::RenewedWithFences(first)) = reply {
                let last = first.saturating_add(renewal.more_fences.saturating_sub(1).into());
                connections.fence_clock.note(&renewal.lock_id.name, last);
            }
            reply.map_err(|error| connections.reply_error(error))
        };
        Ok(all.into_iter().zip(replies).map(read).collect())
    }

    /// A copy that is carried out late would shorten a lease that was prolonged since.
    fn may_be_repeated(&self) -> bool {
        !self.0.iter().any(|renewal| renewal.shorten)
    }
}

fn is_wrong_connection(error: &RedisError) -> bool {
    classify::classify(error).spoils_connection()
}

/// Sends the renewals in one pipeline, each by hash or by text as `by` says of its place. If this server takes no hashes, all go
/// by text.
async fn renew(
    connection: &Combiner,
    renewals: &[&RenewCommand],
    connections: &Connections,
    told: Option<&Told>,
    by: impl Fn(usize) -> By,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let takes_hashes = connections.form.takes_hashes();
    let mut pipeline = redis::pipe();
    for (place, renewal) in renewals.iter().enumerate() {
        let by = if takes_hashes { by(place) } else { By::Text };
        pipeline.add_command(commands::renew(renewal, by, &connections.fence_clock, told));
    }
    connection.batch(&mut pipeline).await
}
