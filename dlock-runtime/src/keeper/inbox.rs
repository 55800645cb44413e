//! Notifications of the store, and what is done about them.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    keeper::state::Desk,
    local::queue::ToRelease,
    observe::Era,
    protocol::token::Identity,
    store::{Fate, Notification, Subscriber},
    types::clock::Moment,
};

/// The pauses between attempts to subscribe again.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// Trouble that passes sooner is not told.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// Keeps a subscription as long as the keeper lives. While there is none, waiters poll more often.
pub(crate) async fn follow(desk: Arc<Desk>, identity: Identity) {
    let told = Arc::<AtomicBool>::default();
    let mut pause = SHORTEST;
    let mut unsubscribed_since = Moment::now();
    loop {
        let (began, era) = (Moment::now(), desk.observer.era());
        let subscriber = Arc::new(Inbox { desk: Arc::downgrade(&desk), era, told: Arc::clone(&told) });
        let error = desk.store.subscribe(identity, subscriber, desk.command_timeout).await;
        let now = Moment::now();
        if desk.hears() {
            // That a connection ended is no trouble yet.
            unsubscribed_since = now;
        }
        // Trouble with the subscription alone passes when the set-up changes, or when an address leads elsewhere.
        let lasting = match error.fate {
            Fate::Refused => true,
            Fate::Unfit => now.since(unsubscribed_since) > TOLD_AFTER,
            Fate::NotYet | Fate::WrongType | Fate::Unknown => {
                if !desk.hears() {
                    desk.observer.heard(era, Some(&error), true);
                }
                false
            }
        };
        if lasting && !told.swap(true, Ordering::Relaxed) {
            desk.observer.deaf(&error);
        }
        desk.set_hears(false);
        desk.queues.recheck_all();
        if now.since(began) > 2 * LONGEST {
            pause = SHORTEST;
        }
        if error.fate == Fate::Refused {
            pause = LONGEST;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

struct Inbox {
    /// Not kept alive: the store may keep its subscribers.
    desk: Weak<Desk>,
    /// The state of the store when it began to connect.
    era: Era,
    /// Whether the trouble was told. Once is enough until notifications arrive again.
    told: Arc<AtomicBool>,
}

impl Subscriber for Inbox {
    fn subscribed(&self) {
        if let Some(desk) = self.desk.upgrade() {
            desk.observer.heard(self.era, None, true);
            if self.told.swap(false, Ordering::Relaxed) {
                desk.observer.hears_again();
            }
            desk.set_hears(true);
            desk.queues.recheck_all();
        }
    }

    fn notify(&self, notification: Notification) {
        let Some(desk) = self.desk.upgrade() else { return };
        match notification {
            Notification::Granted { ticket, fence, waiting, since } => {
                if !desk.queues.notify_hand_over(&ticket, fence, waiting, since) {
                    // The request has gone.
                    desk.give_back_ticket(ticket);
                }
            }
            Notification::Contended { ticket } => {
                if let Some(lease) = desk.queues.notify_contended(&ticket, Moment::now()) {
                    desk.give_back(ToRelease::Lease(lease));
                }
            }
            Notification::Free { ticket } => desk.queues.notify_free(&ticket),
        }
    }
}
