//! What must hold of each input.

mod evil;
pub(crate) mod options;
mod output;
mod reading;
pub(crate) mod templates;
