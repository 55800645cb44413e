//! Renewals that are due together: one pipeline for each server, and each of them has its own answer.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{super::outcome, Nodes, follow::HOPS, table::Node};
use crate::{
    store::{ErrorClass, RenewCommand, RenewReply, Store, StoreError},
    types::boot_time::BootTime,
};

/// What a renewal came to.
type Answer = Result<RenewReply, StoreError>;

/// Renewals that are under way.
type Asked<'a> = Pin<Box<dyn Future<Output = (Group, Vec<Answer>)> + Send + 'a>>;

/// Renewals that go to the same server.
struct Group {
    node: Arc<Node>,
    is_asking: bool,
    /// Which of all renewals they are.
    places: Vec<usize>,
}

impl Nodes {
    /// Renews leases, wherever their locks are. A server that does not answer costs the leases of the others nothing.
    pub(super) async fn renew(self: &Arc<Self>, renewals: Vec<RenewCommand>, reply_timeout: Duration) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = renewals.iter().map(|_| None).collect();
        let mut groups = self.groups(&renewals, &mut answers).await;
        // The answers of the others must not come too late for one that is missing.
        let end = BootTime::now().after(reply_timeout / 8 * 7);
        for hop in 0..=HOPS {
            let mut next = Vec::new();
            for (group, replies) in self.ask_each(groups, &renewals, end.since(BootTime::now())).await {
                for (place, reply) in group.places.into_iter().zip(replies) {
                    if let Err(error) = &reply
                        && hop < HOPS
                    {
                        let RenewCommand { lock_id, shorten, .. } = &renewals[place];
                        let mut is_asking = false;
                        // It does no harm if it is carried out twice, unless it shortens the lease.
                        let error =
                            if *shorten { error.clone() } else { error.clone().with_class(ErrorClass::Transient) };
                        if let Some(node) = self.way_on(&lock_id.name, &group.node, &error, &mut is_asking) {
                            join(&mut next, node, is_asking, place);
                            continue;
                        }
                    }
                    answers[place] = Some(reply);
                }
            }
            if next.is_empty() {
                break;
            }
            groups = next;
        }
        let none = || Err(StoreError::timed_out(&self.name, reply_timeout));
        answers.into_iter().map(|answer| answer.unwrap_or_else(none)).collect()
    }

    /// Which go to the same server. What has none is answered.
    async fn groups(self: &Arc<Self>, renewals: &[RenewCommand], answers: &mut [Option<Answer>]) -> Vec<Group> {
        let mut groups = Vec::new();
        for (place, renewal) in renewals.iter().enumerate() {
            match self.owner(&renewal.lock_id.name).await {
                Ok(node) => join(&mut groups, node, false, place),
                Err(error) => answers[place] = Some(Err(error)),
            }
        }
        groups
    }

    /// Asks all servers at once.
    async fn ask_each(
        &self,
        groups: Vec<Group>,
        renewals: &[RenewCommand],
        limit: Duration,
    ) -> Vec<(Group, Vec<Answer>)> {
        let mut asked: Vec<Asked<'_>> = Vec::new();
        for group in groups {
            let part = group.places.iter().map(|place| renewals[*place].clone()).collect::<Vec<_>>();
            let server = if group.is_asking { group.node.redis.asking() } else { group.node.redis.clone() };
            asked.push(Box::pin(async move {
                let count = part.len();
                let late = || StoreError::timed_out(&group.node.place.name, limit);
                let replies = timeout(limit, server.renew(part, limit)).await.unwrap_or_else(|_| Err(late()));
                if replies.as_ref().is_err_and(StoreError::is_timeout) {
                    self.look_soon();
                }
                let replies = replies.unwrap_or_else(|error| vec![Err(error); count]);
                (group, replies)
            }));
        }
        outcome::all(asked).await
    }
}

fn join(groups: &mut Vec<Group>, node: Arc<Node>, is_asking: bool, place: usize) {
    let is_same = |group: &&mut Group| Arc::ptr_eq(&group.node, &node) && group.is_asking == is_asking;
    match groups.iter_mut().find(is_same) {
        Some(group) => group.places.push(place),
        None => groups.push(Group { node, is_asking, places: vec![place] }),
    }
}

#[cfg(all(test, not(dlock_simulation)))]
mod tests {
    use redis::ConnectionAddr;

    use super::{
        super::{
            super::{
                options::{RedisOptions, Seed},
                route::Place,
            },
            Cluster,
        },
        *,
    };
    use crate::protocol::token::{Identity, LockId, Token};

    #[tokio::test]
    async fn a_thousand_leases_are_renewed_by_one_pipeline_for_each_server() {
        let seeds = Some(vec![Seed::Url("redis://seed".to_owned())]);
        let cluster = Cluster::new(RedisOptions { cluster: seeds, ..RedisOptions::default() }).expect("a URL");
        let node = |port| {
            let at = ConnectionAddr::Tcp("n".to_owned(), port);
            Node::new(&cluster.0.common, Place { at, name: "n".into() })
        };
        let ranges = vec![(0, 5460, node(1)), (5461, 10_922, node(2)), (10_923, 16_383, node(3))];
        cluster.0.table_mut().replace(ranges, BootTime::now());
        assert_eq!(cluster.servers(), 3, "so many times as many leases go to a batch");
        let identity = Identity::random().expect("random numbers");
        let renewal = |number: u64| RenewCommand {
            lock_id: LockId { name: format!("stock:{number}").into(), token: Token::new(identity, number) },
            ttl: Duration::from_secs(10),
            shorten: false,
            more_fences: 0,
            prior_grant: None,
        };
        let renewals = (0..1000).map(renewal).collect::<Vec<_>>();
        let mut answers = renewals.iter().map(|_| None).collect::<Vec<_>>();
        let groups = cluster.0.groups(&renewals, &mut answers).await;
        let mut places = groups.iter().flat_map(|group| group.places.clone()).collect::<Vec<_>>();
        places.sort();
        assert_eq!((groups.len(), places), (3, (0..1000).collect()));
    }
}
