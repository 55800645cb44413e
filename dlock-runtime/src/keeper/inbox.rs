//! Notifications of the store, and what is done about them.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    keeper::state::KeeperState,
    local::queue::ToRelease,
    observe::Epoch,
    protocol::token::Identity,
    store::{ErrorClass, Notification, Subscriber},
    types::boot_time::BootTime,
};

/// The pauses between attempts to subscribe again.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// Trouble that passes sooner is not reported.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// Keeps a subscription as long as the keeper lives. While there is none, waiters poll more often.
pub(crate) async fn follow(state: Arc<KeeperState>, identity: Identity) {
    let reported = Arc::<AtomicBool>::default();
    let mut pause = SHORTEST;
    let mut unsubscribed_since = BootTime::now();
    loop {
        let (began, epoch) = (BootTime::now(), state.observer.epoch());
        let subscriber = Arc::new(Inbox { state: Arc::downgrade(&state), epoch, reported: Arc::clone(&reported) });
        let error = state.store.subscribe(identity, subscriber, state.command_timeout).await;
        let now = BootTime::now();
        if state.is_subscribed() {
            // That a connection ended is no trouble yet.
            unsubscribed_since = now;
        }
        // Trouble with the subscription alone passes when the set-up changes, or when an address leads elsewhere.
        let lasting = match error.class {
            ErrorClass::Permanent => true,
            ErrorClass::Rejected => now.since(unsubscribed_since) > TOLD_AFTER,
            ErrorClass::Transient | ErrorClass::WrongType | ErrorClass::Indeterminate => {
                if !state.is_subscribed() {
                    state.observer.note_reply(epoch, Some(&error), true);
                }
                false
            }
        };
        if lasting && !reported.swap(true, Ordering::Relaxed) {
            state.observer.not_subscribed(&error);
        }
        state.set_subscribed(false);
        state.queues.recheck_all();
        if now.since(began) > 2 * LONGEST {
            pause = SHORTEST;
        }
        if error.class == ErrorClass::Permanent {
            pause = LONGEST;
        }
        // Where the store is now, there is no trouble yet.
        pause = match timeout(pause, state.store.moved()).await {
            Ok(()) => SHORTEST,
            Err(_) => (pause * 2).min(LONGEST),
        };
    }
}

struct Inbox {
    /// Not kept alive: the store may keep its subscribers.
    state: Weak<KeeperState>,
    /// The state of the store when it began to connect.
    epoch: Epoch,
    /// Whether the trouble was reported. Once is enough until notifications arrive again.
    reported: Arc<AtomicBool>,
}

impl Subscriber for Inbox {
    fn subscribed(&self) {
        if let Some(state) = self.state.upgrade() {
            state.observer.note_reply(self.epoch, None, true);
            if self.reported.swap(false, Ordering::Relaxed) {
                state.observer.subscribed_again();
            }
            state.set_subscribed(true);
            state.queues.recheck_all();
        }
    }

    fn missed(&self) {
        if let Some(state) = self.state.upgrade() {
            state.queues.recheck_all();
        }
    }

    fn notify(&self, notification: Notification) {
        let Some(state) = self.state.upgrade() else { return };
        match notification {
            Notification::Granted { lock_id, fence, waiting } => {
                if !state.queues.notify_hand_over(&lock_id, fence, waiting) {
                    // The request has gone.
                    state.give_back_unasked(lock_id);
                }
            }
            Notification::Contended { lock_id } => {
                if let Some(lease) = state.queues.notify_contended(&lock_id, BootTime::now()) {
                    state.give_back(ToRelease::Lease(lease));
                }
            }
            Notification::Free { lock_id } => state.queues.notify_free(&lock_id),
        }
    }
}
