//! The keeper goes on, whatever panics.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::*;
use crate::{
    Runtime,
    keeper::core::Core,
    key::Namespace,
    protocol::token::LockId,
    store::{
        AcquireCommand, AcquireReply, Embedded, Permit, ReleaseCommand, RenewCommand, RenewReply, Reply, StoreError,
        Subscriber,
    },
    types::{
        holder::Holder,
        options::{Defaults, Overrides},
    },
};

const TTL: Duration = Duration::from_secs(2);

/// An embedded store whose answers panic as often as is said.
struct Panicking {
    renewals: AtomicUsize,
    releases: AtomicUsize,
    listening: AtomicUsize,
}

fn strikes(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Store for Panicking {
    fn address(&self) -> Arc<str> {
        Embedded.address()
    }

    fn check(&self, probe: LockId, reply_timeout: Duration) -> Reply<Duration> {
        Embedded.check(probe, reply_timeout)
    }

    fn acquire(&self, command: &Arc<AcquireCommand>, permit: Permit, reply_timeout: Duration) -> Reply<AcquireReply> {
        Embedded.acquire(command, permit, reply_timeout)
    }

    fn renew(
        &self,
        renewals: Vec<RenewCommand>,
        reply_timeout: Duration,
    ) -> Reply<Vec<Result<RenewReply, StoreError>>> {
        assert!(!strikes(&self.renewals), "a renewal that panics");
        Embedded.renew(renewals, reply_timeout)
    }

    fn release(&self, command: ReleaseCommand, permit: Permit, reply_timeout: Duration) -> Reply<bool> {
        if strikes(&self.releases) {
            // Only when the keeper looks after it.
            return Box::pin(async {
                tokio::task::yield_now().await;
                panic!("a release that panics");
            });
        }
        Embedded.release(command, permit, reply_timeout)
    }

    fn inspect(&self, name: &Arc<str>, reply_timeout: Duration) -> Reply<Option<Holder>> {
        Embedded.inspect(name, reply_timeout)
    }

    fn subscribe(
        &self,
        identity: Identity,
        subscriber: Arc<dyn Subscriber>,
        reply_timeout: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>> {
        assert!(!strikes(&self.listening), "a listener that panics");
        Embedded.subscribe(identity, subscriber, reply_timeout)
    }
}

fn runtime(store: &Arc<Panicking>) -> Runtime {
    let identity = Identity::random().expect("random numbers");
    let observer = Observer::new(|| "".into(), 0, true, Duration::MAX);
    let store: Arc<dyn Store> = Arc::<Panicking>::clone(store);
    let keeper = Keeper::start(store, identity, Duration::from_secs(1), false, Rules::default(), observer);
    Runtime(Arc::new(Core {
        keeper: keeper.expect("a thread"),
        namespace: Namespace::new("panics".to_owned()),
        defaults: Defaults::default(),
        usual: Overrides::default().resolve(&Defaults::default()).expect("valid"),
        identity,
        process: String::new(),
        tokens: AtomicU64::new(1),
        shut_down: AtomicBool::new(false),
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_are_renewed_though_a_renewal_panics() {
    let store = Arc::new(Panicking { renewals: 2.into(), releases: 0.into(), listening: 3.into() });
    let runtime = runtime(&store);
    // They are renewed in one batch.
    let mut guards = Vec::new();
    for number in 0..10 {
        guards.push(runtime.lock(format!("k{number}")).ttl(TTL).acquire().await.expect("free"));
    }
    let began = BootTime::now();
    while BootTime::now().since(began) < TTL * 5 / 2 {
        let lost = guards.iter().filter(|guard| !guard.is_held()).count();
        assert_eq!(lost, 0, "after {:?}", BootTime::now().since(began));
        tokio::time::sleep(TTL / 50).await;
    }
    assert_eq!(store.renewals.load(Ordering::SeqCst), 0, "the panics came");
    dlock_testkit::eventually("it listens", TTL * 10, || runtime.0.keeper.state().is_subscribed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_dropped_is_released_though_an_answer_panics() {
    let store = Arc::new(Panicking { renewals: 0.into(), releases: 3.into(), listening: 0.into() });
    let runtime = runtime(&store);
    // Where this executor is known to be fit, the release goes out here and the keeper looks after it.
    drop(runtime.lock("first").acquire().await.expect("free"));
    for number in 0..5 {
        drop(runtime.lock(format!("r{number}")).acquire().await.expect("free"));
    }
    assert!(runtime.shutdown(Duration::from_secs(20)).await);
    assert_eq!(store.releases.load(Ordering::SeqCst), 0, "the panics came");
    for number in 0..5 {
        let left = Embedded.inspect(&format!("panics:r{number}").into(), TTL).await.expect("asked");
        assert!(left.is_none(), "{left:?}");
    }
}

#[tokio::test]
async fn a_part_that_panics_begins_anew() {
    let begun = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&begun);
    supervise("a test", move || {
        let count = Arc::clone(&count);
        async move { assert!(count.fetch_add(1, Ordering::SeqCst) >= 3, "a part that panics") }
    })
    .await;
    assert_eq!(begun.load(Ordering::SeqCst), 4);
}
