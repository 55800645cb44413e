//! What the store says without being asked, and what is done about it.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    clock::Moment,
    desk::Desk,
    gate::Left,
    store::{Ears, Fate, News},
    ticket::Identity,
};

/// The pauses between attempts to listen again.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// Listens for as long as the keeper lives. While nothing is heard, those who wait ask more often.
pub(crate) async fn follow(desk: Arc<Desk>, identity: Identity) {
    let ears: Arc<dyn Ears> = Arc::new(Listener(Arc::downgrade(&desk)));
    let mut pause = SHORTEST;
    loop {
        let began = Moment::now();
        let error = desk.store.listen(identity, Arc::clone(&ears), desk.command_timeout).await;
        desk.set_hears(false);
        desk.gates.stir();
        if Moment::now().since(began) > LONGEST {
            pause = SHORTEST;
        }
        if error.fate == Fate::Refused {
            desk.observer.deaf(&error);
            pause = LONGEST;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Does not keep the desk alive: the store may keep its listeners.
struct Listener(Weak<Desk>);

impl Ears for Listener {
    fn listening(&self) {
        if let Some(desk) = self.0.upgrade() {
            desk.set_hears(true);
            desk.gates.stir();
        }
    }

    fn hear(&self, news: News) {
        let Some(desk) = self.0.upgrade() else { return };
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
