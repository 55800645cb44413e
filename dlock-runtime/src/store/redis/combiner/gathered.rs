//! What waits for its batch, and what becomes of it when its caller goes away.

use redis::Cmd;
use tokio::sync::oneshot;

use super::super::{
    super::ReleaseCommand,
    groups::{Answer, Member},
};

/// What waits for its batch.
pub(in super::super) struct Gathered {
    pub(in super::super) item: Item,
    pub(in super::super) reply: oneshot::Sender<Answer>,
}

impl Gathered {
    /// Whether nobody waits for it any more, so that it must not be sent. A lock that was asked for before a stall and is granted
    /// after it would be nobody's: its release went another way long ago.
    pub(super) fn is_abandoned(&self) -> bool {
        let is_sent_anyway = match &self.item {
            Item::Command(_, if_abandoned) => *if_abandoned == IfAbandoned::Sent,
            Item::Member(member) => matches!(member, Member::Release(_)),
            Item::LeftAlone(_) => true,
        };
        !is_sent_anyway && self.reply.is_closed()
    }
}

pub(in super::super) enum Item {
    Command(Cmd, IfAbandoned),
    /// It becomes a part of a command for many locks.
    Member(Member),
    /// A release that such a command left alone.
    LeftAlone(ReleaseCommand),
}

/// What becomes of a command for which nobody waits any more when its batch leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum IfAbandoned {
    /// It gives a lock back. The keeper may send it again, but it comes first here.
    Sent,
    Dropped,
}
