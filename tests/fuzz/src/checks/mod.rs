//! What must hold of each input.

pub(crate) mod options;
mod output;
pub(crate) mod templates;
mod values;
