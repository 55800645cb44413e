//! What tasks do with the lock.

use std::{sync::Arc, time::Duration};

use dlock_runtime::{Guard, LockError, Runtime, distributed_lock};

use super::{cancelled::cut_off, is_over, millis, rest, wish::Wish};
use crate::{
    judge::{Rule, Turn},
    sim::sim,
};

pub(super) async fn worker(runtime: Runtime, life: u32, elsewhere: bool) {
    while !is_over(life) {
        let pause = {
            let sim = sim();
            let longest = if sim.plan.is_quiet && sim.calm.get() { 1_000 } else { sim.plan.rest };
            sim.rng.borrow_mut().below(longest + 1)
        };
        rest(pause).await;
        sim().count(|figures| figures.elsewhere += u64::from(elsewhere));
        let wish = Wish::draw(&sim());
        if wish.looks {
            _ = runtime.inspect(format!("k{}", wish.key)).await;
            _ = runtime.wait_until_free(format!("k{}", wish.key), millis(20)).await;
        }
        let turn = sim().asks(wish.key, life, if wish.annotated { Some(millis(3_000)) } else { wish.wait });
        let had = match (wish.annotated, wish.is_fenced) {
            (false, _) => act(&runtime, turn, &wish).await,
            (true, true) => cut_off(wish.cancel, guarded(&runtime, wish.key, turn, &wish.steps)).await,
            (true, false) => cut_off(wish.cancel, guardless(&runtime, wish.key, turn, &wish.steps)).await,
        };
        let sim = sim();
        sim.count(|figures| figures.annotated += u64::from(wish.annotated));
        sim.asks_no_more(turn);
        // If a call was dropped on the way, its turn is not ended by itself.
        sim.stops(turn);
        match had {
            Some(Err(error)) => sim.failed(turn, !wish.annotated && wish.may_be_lost(), &error),
            Some(Ok(())) => {}
            None => sim.count(|figures| figures.cancelled += 1),
        }
    }
}

/// Takes the lock by hand, works, and gives it back in one of the ways there are. `None` if it was cancelled.
async fn act(runtime: &Runtime, turn: Turn, wish: &Wish) -> Option<Result<(), LockError>> {
    let guard = match cut_off(wish.cancel, wish.request(runtime).acquire()).await? {
        Ok(guard) => Arc::new(guard),
        Err(error) => return Some(Err(error)),
    };
    sim().begins(turn, Some(Arc::downgrade(&guard)), (guard.fence(), guard.remaining()));
    let body = body(runtime, &guard, wish, turn);
    let ran = if wish.in_run {
        guard.run(body).await
    } else {
        body.await;
        Ok(())
    };
    sim().stops(turn);
    let Some(guard) = Arc::into_inner(guard) else { panic!("a guard is kept") };
    if wish.drops {
        drop(guard);
        return Some(ran);
    }
    Some(ran.and(cut_off(wish.cancel_release, guard.release()).await?))
}

async fn body(runtime: &Runtime, guard: &Guard, wish: &Wish, turn: Turn) {
    for step in &wish.steps {
        rest(*step).await;
        if !guard.is_held() {
            return;
        }
        sim().works(turn, guard.remaining());
        if !wish.renews && guard.renew().await.is_ok() {
            sim().count(|figures| figures.renewed += 1);
            sim().works(turn, guard.remaining());
        }
    }
    if wish.reenters && wish.in_run {
        let fenced = Wish { is_fenced: true, ..wish.clone() };
        match fenced.request(runtime).acquire().await {
            Ok(inner) => {
                sim().count(|figures| figures.joined += 1);
                if !wish.is_fenced {
                    sim().gets_fence(turn, inner.fence());
                }
                if inner.fence() != guard.fence() {
                    sim().accuse(Rule::Exclusion, format!("k{}: a hold that was joined has another fence", wish.key));
                }
                rest(1).await;
                drop(inner);
            }
            // Who joined may have asked the store for a fence.
            Err(error) if error.is_lost() || error.is_shut_down() || !wish.is_fenced => {}
            Err(error) => sim().accuse(Rule::Failure, format!("k{}: it cannot be joined: {error}", wish.key)),
        }
    }
}

/// Takes the lock by the attribute.
#[distributed_lock(key = "k<key>", runtime = runtime, ttl = 1, wait = 3, guard = lock)]
async fn guarded(runtime: &Runtime, key: usize, turn: Turn, steps: &[u64]) -> Result<(), LockError> {
    annotated(turn, steps, || (lock.fence(), lock.remaining())).await;
    Ok(())
}

/// It has no fence, and knows of its lease only that it is held while this runs.
#[distributed_lock(key = "k<key>", runtime = runtime, ttl = 1, wait = 3)]
async fn guardless(runtime: &Runtime, key: usize, turn: Turn, steps: &[u64]) -> Result<(), LockError> {
    sim().count(|figures| figures.guardless += 1);
    annotated(turn, steps, || (0, Duration::from_nanos(1))).await;
    Ok(())
}

async fn annotated(turn: Turn, steps: &[u64], lease: impl Fn() -> (u64, Duration)) {
    sim().begins(turn, None, lease());
    for step in steps {
        rest(*step).await;
        sim().works(turn, lease().1);
    }
    sim().stops(turn);
}
