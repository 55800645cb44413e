//! What `build` checks of a cluster: that its masters are found, and that each of them does what locking needs.

use std::{sync::Arc, time::Duration};

use super::{super::probe, Nodes, table::Node};
use crate::{protocol::token::LockId, store::StoreError, types::boot_time::BootTime};

/// Of so many keys one lies in each of a thousand shards; a namespace with a hash tag of its own has all keys in one.
const TRIES: usize = 20_000;

/// Returns for how long some of them grant nothing yet, if they are guarded.
///
/// # Errors
/// What makes locking impossible, or impossible for the moment.
pub(super) async fn check(nodes: &Arc<Nodes>, probe: &LockId, reply_timeout: Duration) -> Result<Duration, StoreError> {
    nodes.looks.be_as_patient_as(reply_timeout);
    if nodes.table().masters().is_empty() {
        nodes.look().await?;
    }
    let (masters, asked) = (nodes.table().masters().to_vec(), BootTime::now());
    let mut answers = Vec::new();
    for (at, node) in masters.iter().enumerate() {
        // The masters are set up alike, so one warning of each kind is enough.
        let warns = at == 0;
        let Some(probe) = probe_at(nodes, node, probe) else { continue };
        match probe::check_node(&node.redis.connections, probe, warns, reply_timeout).await {
            Ok(opens_in) => answers.push((Arc::clone(node), Ok(opens_in))),
            Err(error) => {
                nodes.look_soon();
                return Err(error);
            }
        }
    }
    let longest = answers.iter().filter_map(|(_, opens_in)| opens_in.as_ref().ok()).max().copied();
    // One that has no slots any more was not asked, and may be closed.
    if answers.len() == masters.len() {
        nodes.take_up_round(asked, answers);
    }
    Ok(longest.unwrap_or_default())
}

/// A probe that lies at that master.
fn probe_at(nodes: &Nodes, node: &Arc<Node>, LockId { name, token }: &LockId) -> Option<LockId> {
    let table = nodes.table();
    let names = (0..TRIES).map(|number| format!("{name}:{number}"));
    let name = names.into_iter().find(|name| table.owner(name).is_some_and(|owner| Arc::ptr_eq(owner, node)))?;
    let mut token = *token;
    token.tag = node.tag();
    Some(LockId { name: name.into(), token })
}
