//! The interface: a runtime and its builder, a request for a lock, a guard of one.
//!
//! Public types and their documentation, and hardly any decision: what they promise is kept by the floors below, all of which
//! they may use. Only the support of the attribute stands above.

mod builder;
mod connect;
pub(crate) mod guard;
pub(crate) mod request;
pub(crate) mod runtime;
mod server;

pub use self::{builder::Builder, guard::Guard, request::LockRequest, runtime::Runtime, server::ClusterNode};
