//! What the store says without being asked, and what is done about it.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    clock::Moment,
    desk::Desk,
    gate::Left,
    observe::Era,
    store::{Ears, Fate, News},
    ticket::Identity,
};

/// The pauses between attempts to listen again.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// Listens for as long as the keeper lives. While nothing is heard, those who wait ask more often.
pub(crate) async fn follow(desk: Arc<Desk>, identity: Identity) {
    let mut pause = SHORTEST;
    let mut is_deaf = false;
    loop {
        let (began, era) = (Moment::now(), desk.observer.era());
        let ears: Arc<dyn Ears> = Arc::new(Listener { desk: Arc::downgrade(&desk), era });
        let error = desk.store.listen(identity, ears, desk.command_timeout).await;
        if desk.hears() {
            // That a connection ended is no trouble yet.
            is_deaf = false;
        } else if error.fate != Fate::Refused {
            desk.observer.heard(era, Some(&error), true);
        }
        desk.set_hears(false);
        desk.gates.stir();
        if Moment::now().since(began) > LONGEST {
            pause = SHORTEST;
        }
        if error.fate == Fate::Refused {
            if !std::mem::replace(&mut is_deaf, true) {
                desk.observer.deaf(&error);
            }
            pause = LONGEST;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Does not keep the desk alive: the store may keep its listeners.
struct Listener {
    desk: Weak<Desk>,
    /// The state of the store when it began to connect.
    era: Era,
}

impl Ears for Listener {
    fn listening(&self) {
        if let Some(desk) = self.desk.upgrade() {
            desk.observer.heard(self.era, None, true);
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
