//! Why a cluster cannot be used, in words that say what is to be changed.

use std::{error::Error, fmt, sync::Arc};

use redis::RedisError;

use super::{
    super::{
        classify::{self, Fault},
        route::Place,
    },
    table::Node,
};
use crate::store::{ErrorClass, StoreError, StoreUnusable};

/// Whether a refusal of `CLUSTER SLOTS` will not pass by itself.
pub(super) fn is_lasting(error: &RedisError) -> bool {
    is_no_node(error) || classify::classify(error) == Fault::Misconfigured
}

fn is_no_node(error: &RedisError) -> bool {
    let said = error.detail().unwrap_or_default();
    said.contains("cluster support disabled") || said.contains("unknown command")
}

/// The error of a server that does not say where the slots are, and never will.
pub(super) fn refused(place: &Place, refusal: RedisError) -> StoreError {
    let reason = if is_no_node(&refusal) {
        format!("{} is no node of a cluster; a server that stands alone is named by `.redis(..)`", place.name)
    } else {
        format!("{}: this Redis user may not run CLUSTER SLOTS", place.name)
    };
    let source = Arc::new(classify::without_arguments(refusal));
    StoreError::new(ErrorClass::Permanent, StoreUnusable { reason: reason.into(), source })
}

/// The error if no node says where the slots are.
pub(super) fn no_map(mut failed: Vec<(Arc<Node>, StoreError)>) -> StoreError {
    // One that cannot be reached may say so later.
    let passes = |error: &StoreError| !matches!(error.class, ErrorClass::Permanent);
    let only = failed.len() == 1 || !failed.iter().any(|(_, error)| passes(error));
    if only && let Some((_, error)) = failed.pop() {
        // What was asked may well have been answered, but nothing was done for a lock.
        let class = if passes(&error) { ErrorClass::Transient } else { error.class };
        return error.with_class(class);
    }
    let said = failed.into_iter().map(|(node, error)| format!("{}: {}", node.place.name, error.cause));
    StoreError::new(ErrorClass::Transient, NoMap(said.collect::<Vec<_>>().join(", ").into()))
}

/// No node of the cluster answers, and what became of each.
#[derive(Debug)]
struct NoMap(Box<str>);

impl fmt::Display for NoMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no node of the cluster says where the slots are: {}", self.0)
    }
}

impl Error for NoMap {}

/// A node knows of no master with a slot.
#[derive(Debug)]
pub(super) struct NoSlots(pub(super) Arc<str>);

impl fmt::Display for NoSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: no server of this cluster has slots", self.0)
    }
}

impl Error for NoSlots {}

/// A lock cannot be granted while its slot is moved.
#[derive(Debug)]
pub(super) struct OnItsWay(pub(super) u16);

impl fmt::Display for OnItsWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} is on its way from one server of the cluster to another", self.0)
    }
}

impl Error for OnItsWay {}

/// No server has the slot of a lock.
#[derive(Debug)]
pub(super) struct NoOwner {
    pub(super) cluster: Arc<str>,
    pub(super) slot: u16,
}

impl fmt::Display for NoOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: no server has slot {}", self.cluster, self.slot)
    }
}

impl Error for NoOwner {}
