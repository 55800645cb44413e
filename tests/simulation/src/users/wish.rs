//! What a task wants.

use std::time::Duration;

use dlock_runtime::{LockRequest, Renew, Runtime, Wait};

use super::{cancelled::Cut, millis};
use crate::{plan::MICROSECOND, rng::Rng, sim::Sim};

/// What a task wants next.
#[derive(Clone)]
pub(super) struct Wish {
    /// It looks at the lock before that.
    pub(super) looks: bool,
    pub(super) key: usize,
    pub(super) ttl: u64,
    pub(super) wait: Option<Duration>,
    pub(super) renews: bool,
    pub(super) is_fenced: bool,
    pub(super) max_hold: Option<u64>,
    /// How the request is dropped, if it is not finished by then; and the release.
    pub(super) cancel: Option<Cut>,
    pub(super) cancel_release: Option<Cut>,
    /// How long each of its steps takes, in milliseconds.
    pub(super) steps: Vec<u64>,
    pub(super) reenters: bool,
    pub(super) in_run: bool,
    pub(super) annotated: bool,
    pub(super) drops: bool,
}

impl Wish {
    pub(super) fn draw(sim: &Sim) -> Self {
        let (plan, rng) = (&sim.plan, &mut *sim.rng.borrow_mut());
        let looks = rng.chance(plan.looks);
        let wait = match () {
            () if rng.chance(plan.tries_once) => Some(Duration::ZERO),
            () if rng.chance(plan.waits_shortly) => Some(millis(1 + rng.below(400))),
            () => rng.chance(5_000).then(|| millis(3_000)),
        };
        let steps = match () {
            () if rng.chance(plan.long_bodies) => vec![plan.long / 4; 4],
            () if rng.chance(plan.slow_bodies) => vec![rng.below(plan.body + 1), rng.below(plan.body + 1)],
            () => vec![0; rng.below(3) as usize],
        };
        let renews = !rng.chance(plan.without_renewal);
        let cut = |rng: &mut Rng| rng.chance(plan.cancels).then(|| Cut::draw(rng, plan.latency.1 * MICROSECOND));
        Self {
            looks,
            key: rng.below(plan.keys as u64) as usize,
            ttl: rng.pick(plan.ttls),
            wait,
            renews,
            is_fenced: !rng.chance(plan.unfenced),
            max_hold: (renews && rng.chance(plan.bounded)).then(|| 20 + rng.below(1_500)),
            cancel: cut(rng),
            cancel_release: cut(rng),
            steps,
            reenters: rng.chance(plan.reenters),
            in_run: rng.chance(5_000),
            annotated: rng.chance(plan.attribute),
            drops: rng.chance(5_000),
        }
    }

    /// Whether its turn may end before its body does, without a fault.
    pub(super) fn may_be_lost(&self) -> bool {
        !self.renews || self.max_hold.is_some()
    }

    pub(super) fn request(&self, runtime: &Runtime) -> LockRequest {
        let request = runtime.lock(format!("k{}", self.key)).ttl(millis(self.ttl));
        let request = request.wait(self.wait.map_or(Wait::Forever, Wait::For));
        let request = if self.renews { request } else { request.renew(Renew::Off) };
        let request = if self.is_fenced { request } else { request.unfenced() };
        match self.max_hold {
            Some(bound) => request.max_hold(millis(bound)),
            None => request,
        }
    }
}
