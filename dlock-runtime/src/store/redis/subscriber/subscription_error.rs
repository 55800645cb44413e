//! Why notifications do not arrive, in words that say what is missing.

use std::{error::Error, fmt, sync::Arc};

use crate::{
    store::{ErrorClass, StoreError},
    types::error::Cause,
};

#[derive(Clone, Copy, Debug)]
pub(in super::super) enum SubscriptionError {
    NotSubscribed,
    AtReplica,
    Elsewhere,
    Dead,
    NoReply,
    Ended,
}

impl SubscriptionError {
    /// Puts the reason before an error that does not pass by itself.
    pub(in super::super) fn because(self, error: StoreError) -> StoreError {
        match error.class {
            ErrorClass::Permanent => {
                StoreError::new(error.class, Because { reason: self, source: Arc::clone(&error.cause) })
            }
            _ => error,
        }
    }
}

impl fmt::Display for SubscriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSubscribed => {
                "this Redis user may not SUBSCRIBE (in a cluster, SSUBSCRIBE) to the channels `dlock:*`"
            }
            Self::AtReplica => "the address leads to a replica, which takes no locks",
            Self::Elsewhere => {
                "the address leads to several servers: messages are published at another than we listen to"
            }
            Self::NoReply => "the server does not reply to a subscription",
            Self::Ended => "the server ended a subscription, as its slot moved or it is no master any more",
            Self::Dead => "a message to ourselves did not arrive",
        })
    }
}

impl Error for SubscriptionError {}

impl From<SubscriptionError> for StoreError {
    fn from(error: SubscriptionError) -> Self {
        Self::new(ErrorClass::Rejected, error)
    }
}

/// What is missing, and how the server said so.
#[derive(Debug)]
struct Because {
    reason: SubscriptionError,
    source: Cause,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl Error for Because {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
