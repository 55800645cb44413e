//! Who uses the locks: processes with tasks that want locks in every way there is, and clients of another kind.

mod cancelled;
mod foreigner;
mod tasks;
mod wish;

use std::time::Duration;

use dlock_runtime::{
    Builder, LockError, Runtime,
    simulated::{Place, spawn_at},
};

use self::{foreigner::foreigner, tasks::worker};
use crate::{
    cluster::seeds,
    judge::Rule,
    net::pass,
    plan::{MILLISECOND, Plan},
    sim::{Sim, sim},
    trace::Lane,
};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Nothing happens for so many milliseconds; at least others get their turn.
async fn rest(millis: u64) {
    pass(millis * MILLISECOND).await;
}

/// Everybody begins, and what is going to go wrong.
pub(crate) fn begin(sim: &Sim) {
    (0..sim.plan.processes + sim.plan.foreigners).for_each(start);
    sim.plan.faults.iter().for_each(|(fault, mean)| sim.plan_fault(*fault, *mean));
    sim.push(0, Sim::look);
}

/// A process begins in a slot.
pub(crate) fn start(slot: usize) {
    let sim = sim();
    let life = sim.is_born(slot);
    sim.note(sim.now(), Lane::Life(life), None, || format!("begins in the place of process {slot}"));
    let place = Place { process: life, lane: Place::TASKS };
    if slot < sim.plan.processes {
        drop(spawn_at(place, process(life)));
    } else {
        drop(spawn_at(place, foreigner(life)));
    }
}

/// Whether its tasks want nothing more.
fn is_over(life: u32) -> bool {
    sim().ending.get() || sim().lives.borrow()[life as usize].closes.is_some()
}

async fn process(life: u32) {
    let builder = builder(&sim().plan);
    let runtime = loop {
        match builder.clone().build().await {
            Ok(runtime) => break Some(runtime),
            Err(_) if is_over(life) => break None,
            Err(LockError::Config { reason, .. }) if !reason.contains("replica") => {
                sim().accuse(Rule::Failure, format!("p{life} cannot be built: {reason}"));
                break None;
            }
            Err(_) => rest(100).await,
        }
    };
    if let Some(runtime) = runtime {
        let tasks = (0..sim().plan.tasks).map(|_| {
            let elsewhere = sim().rng.borrow_mut().chance(sim().plan.elsewhere);
            let lane = if elsewhere { Place::NO_TOKIO } else { Place::TASKS };
            spawn_at(Place { process: life, lane }, worker(runtime.clone(), life, elsewhere))
        });
        let tasks = tasks.collect::<Vec<_>>();
        while !is_over(life) {
            rest(20).await;
        }
        // Some are shut down while their tasks are at it.
        if !sim().ending.get() {
            settle(&runtime, life).await;
        }
        for task in tasks {
            if let Err(error) = task.await {
                sim().accuse(Rule::Panic, format!("a task of p{life}: {error}"));
            }
        }
        settle(&runtime, life).await;
    }
    let sim = sim();
    sim.lives.borrow_mut()[life as usize].is_done = true;
    sim.judge.borrow_mut().died(life, sim.now());
    if !sim.ending.get() {
        let slot = sim.lives.borrow()[life as usize].slot;
        sim.plan_start(sim.now() + 10 * MILLISECOND, slot);
    }
}

/// The settings of the runtimes of a world.
fn builder(plan: &Plan) -> Builder {
    let builder = Runtime::builder().namespace("sim");
    let builder = match (plan.masters, plan.sentinels) {
        (0, 0) => builder.redis("redis://user:secret@simulated/3"),
        (0, sentinels) => {
            let sentinels = (0..sentinels).map(|sentinel| format!("redis://sentinel{sentinel}"));
            builder.sentinel("redis://user:secret@mymaster/3", sentinels)
        }
        (masters, _) => builder.cluster(seeds(masters)).failover_guard(false),
    };
    let builder = builder.turns(plan.turns).confirm_release(plan.confirms).linger(millis(plan.linger));
    let builder = if plan.put_off > 0 { builder.yield_after(20, millis(3)) } else { builder };
    let builder = match plan.quarantine {
        0 => builder,
        quarantine => builder.ttl(millis(plan.longest_ttl() / MILLISECOND)).failover_guard(millis(quarantine)),
    };
    if plan.lazily { builder.connect_lazily() } else { builder }
}

async fn settle(runtime: &Runtime, life: u32) {
    let is_settled = runtime.shutdown(millis(60_000)).await;
    sim().count(|figures| figures.shutdowns += 1);
    if !is_settled {
        sim().accuse(Rule::Rest, format!("p{life} does not come to rest"));
    }
}
