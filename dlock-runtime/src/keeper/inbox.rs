//! What the store says without being asked, and what is done about it.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    keeper::state::Desk,
    local::queue::Left,
    observe::Era,
    protocol::token::Identity,
    store::{Ears, Fate, News},
    types::clock::Moment,
};

/// The pauses between attempts to listen again.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// Nothing is said of a trouble that passes sooner.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// Listens for as long as the keeper lives. While nothing is heard, those who wait ask more often.
pub(crate) async fn follow(desk: Arc<Desk>, identity: Identity) {
    let told = Arc::<AtomicBool>::default();
    let mut pause = SHORTEST;
    let mut deaf_since = Moment::now();
    loop {
        let (began, era) = (Moment::now(), desk.observer.era());
        let ears = Arc::new(Listener { desk: Arc::downgrade(&desk), era, told: Arc::clone(&told) });
        let error = desk.store.listen(identity, ears, desk.command_timeout).await;
        let now = Moment::now();
        if desk.hears() {
            // That a connection ended is no trouble yet.
            deaf_since = now;
        }
        // What is wrong with listening alone passes with a change of the set-up, or when an address leads elsewhere.
        let lasting = match error.fate {
            Fate::Refused => true,
            Fate::Unfit => now.since(deaf_since) > TOLD_AFTER,
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
        desk.gates.stir();
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

struct Listener {
    /// Not kept alive: the store may keep its listeners.
    desk: Weak<Desk>,
    /// The state of the store when it began to connect.
    era: Era,
    /// Whether it was said that nothing is heard. Once is enough until messages arrive again.
    told: Arc<AtomicBool>,
}

impl Ears for Listener {
    fn listening(&self) {
        if let Some(desk) = self.desk.upgrade() {
            desk.observer.heard(self.era, None, true);
            if self.told.swap(false, Ordering::Relaxed) {
                desk.observer.hears_again();
            }
            desk.set_hears(true);
            desk.gates.stir();
        }
    }

    fn hear(&self, news: News) {
        let Some(desk) = self.desk.upgrade() else { return };
        match news {
            News::Granted { ticket, fence, waiting, since } => {
                if !desk.gates.granted(&ticket, fence, waiting, since) {
                    // Whoever asked for it has gone.
                    desk.give_back_ticket(ticket);
                }
            }
            News::Wanted { ticket } => {
                if let Some(lease) = desk.gates.wanted(&ticket, Moment::now()) {
                    desk.give_back(Left::Lease(lease));
                }
            }
            News::Free { ticket } => desk.gates.free(&ticket),
        }
    }
}
