//! What the tests and examples of dlock stand on: private `redis-server` processes, a proxy that breaks connections on
//! command, a raw client that shares no code with the crate under test, worker processes, a log that is kept, and a
//! checker of histories.
//!
//! Nothing in here asserts by sleeping: a test makes a fault happen, then waits for the condition it claims with
//! [`eventually`]. A missing `redis-server` fails the test with the command that installs it; it never passes silently.

mod cluster;
mod dice;
mod full;
mod history;
mod locks;
pub mod log;
mod proxy;
mod resp;
mod router;
mod sentinels;
mod server;
mod turns;
mod wait;
mod worker;

pub use cluster::Cluster;
pub use dice::Dice;
pub use full::full;
pub use history::{Crossing, History, Violation};
pub use locks::FENCE_CLOCK;
pub use proxy::{Fault, Proxy, Rule};
pub use resp::{Raw, Value, parse};
pub use router::Router;
pub use sentinels::Sentinels;
pub use server::RedisServer;
pub use turns::with_turns;
pub use wait::{eventually, eventually_async};
pub use worker::{Worker, role, say};
