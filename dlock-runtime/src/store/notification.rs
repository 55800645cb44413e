//! What a store says without being asked, and to whom.

use crate::protocol::token::LockId;

/// A message of the store. Any of them can get lost, or be late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notification {
    /// The lock was given to the request of `lock_id`, with the fences from `fence` on. `waiting` others wait.
    Granted { lock_id: LockId, fence: u64, waiting: u64 },
    /// Somebody waits for the lock that `lock_id` holds. In Redis the message says `wanted`.
    Contended { lock_id: LockId },
    /// The lock is free, and the request of `lock_id` comes next.
    Free { lock_id: LockId },
}

/// Receives notifications. Must not block.
pub(crate) trait Subscriber: Send + Sync {
    /// From now on no notification is missed; earlier ones may have been.
    fn subscribed(&self);
    /// Notifications from one of several servers may have been missed, or are for the time being.
    fn missed(&self) {}
    fn notify(&self, notification: Notification);
}
