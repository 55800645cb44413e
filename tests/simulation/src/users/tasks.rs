//! What tasks do with the lock.

use std::{sync::Arc, time::Duration};

use dlock_runtime::{Guard, LockError, Runtime, distributed_lock};

use super::{cancelled::Cancelled, is_over, millis, rest, wish::Wish};
use crate::{judge::Rule, sim::sim};

pub(super) async fn worker(runtime: Runtime, life: u32, elsewhere: bool) {
    while !is_over(life) {
        let pause = {
            let sim = sim();
            let longest = if sim.plan.is_quiet && sim.calm.get() { 1_000 } else { sim.plan.rest };
            sim.rng.borrow_mut().below(longest + 1)
        };
        rest(pause).await;
        let (wish, looks) = {
            let sim = sim();
            sim.count(|figures| figures.elsewhere += u64::from(elsewhere));
            let looks = sim.rng.borrow_mut().chance(sim.plan.looks);
            (Wish::draw(&sim), looks)
        };
        if looks {
            _ = runtime.inspect(format!("k{}", wish.key)).await;
            _ = runtime.wait_until_free(format!("k{}", wish.key), millis(20)).await;
        }
        if wish.annotated {
            call(&runtime, life, &wish).await;
        } else {
            act(&runtime, life, wish).await;
        }
    }
}

/// Takes the lock by hand, works, and gives it back in one of the ways there are.
async fn act(runtime: &Runtime, life: u32, wish: Wish) {
    let (since, number) = {
        let sim = sim();
        (sim.now(), sim.asks(wish.key, life, wish.wait))
    };
    let acquired = Cancelled::by(wish.cancel, wish.request(runtime).acquire()).await;
    let guard = match acquired {
        Some(Ok(guard)) => guard,
        other => {
            let sim = sim();
            sim.asks_no_more(wish.key, number);
            match other {
                Some(Err(error)) => sim.failed(wish.key, life, since, wish.may_be_lost(), &error),
                _ => sim.count(|figures| figures.cancelled += 1),
            }
            return;
        }
    };
    let guard = Arc::new(guard);
    let held = {
        let sim = sim();
        let weak = Some(Arc::downgrade(&guard));
        let held = sim.begins(wish.key, life, number, weak, (guard.fence(), guard.remaining()));
        sim.asks_no_more(wish.key, number);
        held
    };
    if wish.in_run {
        let body = body(runtime, &guard, &wish, held);
        if let Err(error) = guard.run(body).await {
            sim().failed(wish.key, life, since, wish.may_be_lost(), &error);
        }
    } else {
        body(runtime, &guard, &wish, held).await;
    }
    sim().stops(wish.key, held);
    let Some(guard) = Arc::into_inner(guard) else { return sim().accuse(Rule::Rest, "a guard is kept".to_owned()) };
    if wish.drops {
        return drop(guard);
    }
    match Cancelled::by(wish.cancel_release, guard.release()).await {
        Some(Err(error)) => sim().failed(wish.key, life, since, wish.may_be_lost(), &error),
        Some(Ok(())) => {}
        None => sim().count(|figures| figures.cancelled += 1),
    }
}

async fn body(runtime: &Runtime, guard: &Guard, wish: &Wish, held: u64) {
    for step in &wish.steps {
        rest(*step).await;
        if !guard.is_held() {
            return;
        }
        sim().works(wish.key, held, guard.remaining());
        if !wish.renews && guard.renew().await.is_ok() {
            sim().count(|figures| figures.renewed += 1);
            sim().works(wish.key, held, guard.remaining());
        }
    }
    if wish.reenters && wish.in_run {
        let fenced = Wish { is_fenced: true, ..wish.clone() };
        match fenced.request(runtime).acquire().await {
            Ok(inner) => {
                sim().count(|figures| figures.joined += 1);
                if !wish.is_fenced {
                    sim().gets_fence(wish.key, held, inner.fence());
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
async fn call(runtime: &Runtime, life: u32, wish: &Wish) {
    let (since, number) = {
        let sim = sim();
        sim.count(|figures| figures.annotated += 1);
        (sim.now(), sim.asks(wish.key, life, Some(Duration::from_secs(3))))
    };
    let call = async {
        if wish.is_fenced {
            guarded(runtime, wish.key, life, number, &wish.steps).await
        } else {
            guardless(runtime, wish.key, life, number, &wish.steps).await
        }
    };
    let called = Cancelled::by(wish.cancel, call).await;
    let sim = sim();
    sim.asks_no_more(wish.key, number);
    // If it was dropped on the way, its turn is not ended by itself.
    sim.stops(wish.key, sim.last_turn(wish.key, life, number));
    match called {
        Some(Err(error)) => sim.failed(wish.key, life, since, false, &error),
        Some(Ok(())) => {}
        None => sim.count(|figures| figures.cancelled += 1),
    }
}

#[distributed_lock(key = "k<key>", runtime = runtime, ttl = 1, wait = 3, guard = lock)]
async fn guarded(runtime: &Runtime, key: usize, life: u32, number: u64, steps: &[u64]) -> Result<(), LockError> {
    annotated(key, life, number, steps, || (lock.fence(), lock.remaining())).await;
    Ok(())
}

/// It has no fence, and knows of its lease only that it is held while this runs.
#[distributed_lock(key = "k<key>", runtime = runtime, ttl = 1, wait = 3)]
async fn guardless(runtime: &Runtime, key: usize, life: u32, number: u64, steps: &[u64]) -> Result<(), LockError> {
    sim().count(|figures| figures.guardless += 1);
    annotated(key, life, number, steps, || (0, Duration::from_nanos(1))).await;
    Ok(())
}

async fn annotated(key: usize, life: u32, number: u64, steps: &[u64], lease: impl Fn() -> (u64, Duration)) {
    let held = sim().begins(key, life, number, None, lease());
    sim().asks_no_more(key, number);
    for step in steps {
        rest(*step).await;
        sim().works(key, held, lease().1);
    }
    sim().stops(key, held);
}
