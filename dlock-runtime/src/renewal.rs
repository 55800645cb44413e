//! Renewing what is due: all of it in few pipelines, each lease with its own answer.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Moment,
    desk::Desk,
    error::LostReason,
    lease::{Grant, Lease},
    observe,
    store::{Fate, Renewal, StoreError},
};

/// How many renewals go into one pipeline: enough to save round trips, few enough not to hold up others.
const BATCH: usize = 500;

/// Takes what is due out of the ledger. What has passed its deadline is lost by that; what can be renewed comes
/// back in batches.
pub(crate) fn due(desk: &Desk) -> Vec<Vec<Arc<Lease>>> {
    let now = Moment::now();
    let mut batches: Vec<Vec<_>> = Vec::new();
    for lease in desk.ledger.take_due(now) {
        if !lease.is_held_at(now) {
            continue;
        }
        if !lease.can_gain() {
            desk.ledger.enter(&lease, lease.deadline());
            continue;
        }
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH => batch.push(lease),
            _ => batches.push(vec![lease]),
        }
    }
    batches
}

/// Renews a batch and enters into the ledger again what is still held.
pub(crate) async fn renew(desk: &Desk, batch: Vec<Arc<Lease>>) {
    let asked = Moment::now();
    let renewals = batch
        .iter()
        .map(|lease| Renewal {
            name: Arc::clone(&lease.name),
            token: Arc::clone(&lease.token),
            ttl: lease.renewal_ttl(asked),
        })
        .collect::<Vec<_>>();
    let grants = renewals.iter().map(|renewal| Grant { asked, ttl: renewal.ttl }).collect::<Vec<_>>();

    // A lost answer must leave time for another try before the deadline.
    let shortest = grants.iter().map(|grant| grant.ttl).min().unwrap_or(desk.command_timeout);
    let patience = desk.command_timeout.min((shortest / 4).max(Duration::from_millis(20)));
    let answers = tokio::time::timeout(patience, desk.store.renew(renewals, patience))
        .await
        .unwrap_or_else(|_| Err(StoreError::timed_out(patience)))
        .unwrap_or_else(|error| vec![Err(error); batch.len()]);

    for ((lease, grant), answer) in batch.iter().zip(grants).zip(answers) {
        apply(lease, grant, answer);
        if lease.is_held() {
            // An answer that never came is asked for again soon; after a yes, in due time.
            let due = if lease.deadline() == grant.deadline().min(lease.end()) {
                lease.due_after(grant.asked)
            } else {
                let pause = (lease.terms.ttl / 12).clamp(Duration::from_millis(5), Duration::from_millis(500));
                Moment::now().after(pause).min(lease.deadline())
            };
            desk.ledger.enter(lease, due);
        }
    }
}

/// What an answer means for the lease.
pub(crate) fn apply(lease: &Lease, grant: Grant, answer: Result<bool, StoreError>) {
    match answer {
        Ok(true) => {
            lease.extend(grant);
            observe::renewed(lease.key.label(), lease.fence);
        }
        Ok(false) => lease.lose(LostReason::Gone),
        Err(error) => {
            observe::not_renewed(lease.key.label(), lease.fence, &error);
            if error.fate == Fate::Refused {
                lease.lose(LostReason::Refused);
            }
        }
    }
}
