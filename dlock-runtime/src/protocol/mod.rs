//! The rules of the protocol: what an answer of the store is worth, what a hand-over may be believed, which fences are whose,
//! when a turn may begin.
//!
//! Pure: nothing here awaits, looks at a clock or takes a lock, so that the checkers compile these files as they are. They use
//! the types; the store and everybody above may use them.

pub(crate) mod fences;
pub(crate) mod grant;
pub(crate) mod hand_over;
pub(crate) mod token;
pub(crate) mod turn_start;
