//! Who uses the locks: processes with tasks that want locks in every way there is, and clients of another kind.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use dlock_runtime::{
    Guard, LockError, LockRequest, Renew, Runtime, Wait, distributed_lock,
    simulated::{Place, Stream, spawn_at},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    judge::Rule,
    plan::{Fault, MICROSECOND, MILLISECOND, Time},
    resp,
    rng::Rng,
    sim::{Event, Sim, sim},
    trace::Lane,
};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Nothing happens for so long; at least others get their turn.
async fn rest(time: u64) {
    match time {
        0 => tokio::task::yield_now().await,
        time => tokio::time::sleep(millis(time)).await,
    }
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
    sim().ending.get() || sim().lives.borrow()[life as usize].is_closing
}

async fn process(life: u32) {
    let builder = {
        let sim = sim();
        let plan = &sim.plan;
        let builder = Runtime::builder().redis("redis://user:secret@simulated/3").namespace("sim");
        let builder = builder.turns(plan.turns).confirm_release(plan.confirms).linger(millis(plan.linger));
        let builder = if plan.put_off > 0 { builder.yield_after(20, millis(3)) } else { builder };
        if plan.lazily { builder.connect_lazily() } else { builder }
    };
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
        let tasks = sim().plan.tasks;
        let tasks = (0..tasks).map(|_| {
            let elsewhere = sim().rng.borrow_mut().chance(sim().plan.elsewhere);
            let lane = if elsewhere { Place::NO_TOKIO } else { Place::TASKS };
            spawn_at(Place { process: life, lane }, worker(runtime.clone(), life, elsewhere))
        });
        let tasks = tasks.collect::<Vec<_>>();
        // Some are shut down while their tasks are at it.
        let early = is_closing_early(life).await;
        if early {
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
        sim.push(sim.now() + 10 * MILLISECOND, Event::End(crate::faults::End::Start(slot)));
    }
}

/// Waits until the process is to be shut down; true if its tasks have not heard of that yet.
async fn is_closing_early(life: u32) -> bool {
    while !sim().ending.get() {
        if sim().lives.borrow()[life as usize].is_closing {
            return true;
        }
        rest(20).await;
    }
    false
}

async fn settle(runtime: &Runtime, life: u32) {
    let is_settled = runtime.shutdown(Duration::from_secs(60)).await;
    sim().count(|figures| figures.shutdowns += 1);
    if !is_settled {
        sim().accuse(Rule::Rest, format!("p{life} does not come to rest"));
    }
}

/// What a task wants next.
#[derive(Clone)]
struct Wish {
    key: usize,
    ttl: u64,
    wait: Option<Duration>,
    renews: bool,
    is_fenced: bool,
    max_hold: Option<u64>,
    /// How the request is dropped, if it is not finished by then; and the release.
    cancel: Option<Cut>,
    cancel_release: Option<Cut>,
    /// How long each of its steps takes, in milliseconds.
    steps: Vec<u64>,
    reenters: bool,
    in_run: bool,
    annotated: bool,
    drops: bool,
}

impl Wish {
    fn draw(sim: &Sim) -> Self {
        let (plan, rng) = (&sim.plan, &mut *sim.rng.borrow_mut());
        let wait = match () {
            () if rng.chance(plan.tries_once) => Some(Duration::ZERO),
            () if rng.chance(plan.waits_shortly) => Some(millis(1 + rng.below(400))),
            () if rng.chance(5_000) => Some(Duration::from_secs(3)),
            () => None,
        };
        let steps = match () {
            () if rng.chance(plan.long_bodies) => vec![plan.long / 4; 4],
            () if rng.chance(plan.slow_bodies) => vec![rng.below(plan.body + 1), rng.below(plan.body + 1)],
            () => vec![0; rng.below(3) as usize],
        };
        let cancel = |rng: &mut Rng| rng.chance(plan.cancels).then(|| Cut::draw(rng, plan.latency.1 * MICROSECOND));
        let renews = !rng.chance(plan.without_renewal);
        Self {
            key: rng.below(plan.keys as u64) as usize,
            ttl: rng.pick(plan.ttls),
            wait,
            renews,
            is_fenced: !rng.chance(plan.unfenced),
            max_hold: (renews && rng.chance(plan.bounded)).then(|| 20 + rng.below(1_500)),
            cancel: cancel(rng),
            cancel_release: cancel(rng),
            steps,
            reenters: rng.chance(plan.reenters),
            in_run: rng.chance(5_000),
            annotated: rng.chance(plan.attribute),
            drops: rng.chance(5_000),
        }
    }

    /// Whether its turn may end before its body does, without a fault.
    fn may_be_lost(&self) -> bool {
        !self.renews || self.max_hold.is_some()
    }

    fn request(&self, runtime: &Runtime) -> LockRequest {
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

async fn worker(runtime: Runtime, life: u32, elsewhere: bool) {
    while !is_over(life) {
        let pause = {
            let sim = sim();
            sim.rng.borrow_mut().below(sim.plan.rest + 1)
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
    let called = Cancelled::by(wish.cancel, annotated(runtime, wish.key, life, number, &wish.steps)).await;
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
async fn annotated(runtime: &Runtime, key: usize, life: u32, number: u64, steps: &[u64]) -> Result<(), LockError> {
    let held = {
        let sim = sim();
        let held = sim.begins(key, life, number, None, (lock.fence(), lock.remaining()));
        sim.asks_no_more(key, number);
        held
    };
    for step in steps {
        rest(*step).await;
        sim().works(key, held, lock.remaining());
    }
    sim().stops(key, held);
    Ok(())
}

/// When a future is dropped that is not finished by then.
#[derive(Clone, Copy)]
enum Cut {
    /// Right after so many polls.
    After(u64),
    /// Instead of the next one: something has come for it.
    Before(u64),
    /// So much time after its first poll, and at that time.
    In(Time),
    At(Time),
}

impl Cut {
    fn draw(rng: &mut Rng, latency: Time) -> Self {
        let polls = rng.pick(&[2, 6, 60]);
        let span = rng.pick(&[2 * latency, 6 * latency, 100 * MILLISECOND]);
        match rng.below(3) {
            0 => Self::After(1 + rng.below(polls)),
            1 => Self::Before(1 + rng.below(polls)),
            _ => Self::In(rng.below(span)),
        }
    }
}

/// A future that may be dropped before its end.
struct Cancelled<F> {
    future: Pin<Box<F>>,
    cut: Option<Cut>,
}

impl<F: Future> Cancelled<F> {
    fn by(cut: Option<Cut>, future: F) -> Self {
        Self { future: Box::pin(future), cut }
    }
}

impl<F: Future> Future for Cancelled<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.cut {
            Some(Cut::After(polls) | Cut::Before(polls)) => match polls.checked_sub(1) {
                Some(left) => *polls = left,
                None => return Poll::Ready(None),
            },
            Some(Cut::In(span)) => {
                let at = sim().now() + *span;
                sim().push(at, Event::Wake(cx.waker().clone()));
                self.cut = Some(Cut::At(at));
            }
            Some(Cut::At(at)) if *at <= sim().now() => return Poll::Ready(None),
            _ => {}
        }
        let polled = self.future.as_mut().poll(cx).map(Some);
        if polled.is_pending() && matches!(self.cut, Some(Cut::After(0))) {
            return Poll::Ready(None);
        }
        polled
    }
}

/// A client of another kind: `SET NX PX`, and compare-and-delete. It knows nothing of queues, and tries again and again.
async fn foreigner(life: u32) {
    let mut turn = 0_u64;
    while !is_over(life) {
        let Ok(mut stream) = dlock_runtime::simulated::connect().await else {
            rest(50).await;
            continue;
        };
        while let Some(()) = foreign_turn(life, &mut turn, &mut stream).await
            && !is_over(life)
        {}
    }
    sim().lives.borrow_mut()[life as usize].is_done = true;
}

async fn foreign_turn(life: u32, turn: &mut u64, stream: &mut Box<dyn Stream>) -> Option<()> {
    *turn += 1;
    let (key, ttl, body, pause) = {
        let sim = sim();
        let mut rng = sim.rng.borrow_mut();
        let body = if rng.chance(200) { 400 } else { rng.below(20) };
        (rng.below(sim.plan.keys as u64) as usize, rng.pick(&[200, 400]), body, 1 + rng.below(60))
    };
    let (lock, token) = (format!("sim:k{key}"), format!("foreign-{life}-{turn}"));
    let number = sim().asks(key, life, Some(Duration::ZERO));
    let sent = sim().now();
    let reply =
        ask(stream, &[b"SET", lock.as_bytes(), token.as_bytes(), b"NX", b"PX", ttl.to_string().as_bytes()]).await;
    sim().asks_no_more(key, number);
    if reply? == b"+OK\r\n" {
        // Its clock may be 1% slow, and it knows.
        let valid = (ttl * MILLISECOND * 98 / 100).saturating_sub(2 * MILLISECOND);
        let left = |sim: &Sim| Duration::from_nanos((sent + valid).saturating_sub(sim.now()) * 99 / 100);
        let remaining = left(&sim());
        if remaining > millis(5) {
            sim().count(|figures| figures.foreign += 1);
            let held = sim().begins(key, life, number, None, (0, remaining));
            rest(body.min(remaining.as_millis() as u64)).await;
            sim().stops(key, held);
        }
        let delete = b"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";
        ask(stream, &[b"EVAL", delete, b"1", lock.as_bytes(), token.as_bytes()]).await?;
    }
    rest(pause).await;
    Some(())
}

/// Sends a request and reads one short reply; nothing if the connection is of no use any more.
async fn ask(stream: &mut Box<dyn Stream>, words: &[&[u8]]) -> Option<Vec<u8>> {
    let asked = async {
        stream.write_all(&resp::request(words)).await.ok()?;
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n") {
            reply.push(stream.read_u8().await.ok()?);
        }
        Some(reply)
    };
    tokio::time::timeout(millis(150), asked).await.ok().flatten()
}

/// Everybody begins, and what is going to go wrong.
pub(crate) fn begin(sim: &Sim) {
    (0..sim.plan.processes + sim.plan.foreigners).for_each(start);
    let faults: Vec<Fault> = sim.plan.faults.iter().map(|(fault, _)| *fault).collect();
    faults.into_iter().for_each(|fault| sim.plan_fault(fault));
    sim.push(0, Event::Look);
}
