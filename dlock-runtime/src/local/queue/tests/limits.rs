//! How many may wait, and how the queues are spread over the shards.

use super::*;

#[test]
fn names_that_differ_anywhere_are_spread_over_the_shards() {
    let forms: [fn(u32) -> String; 4] = [
        |number| format!("user:{number}:settings"),
        |number| format!("{number}"),
        |number| format!("shop:{{tenant-{number}}}:a-long-name-that-is-the-same-for-each-of-them"),
        |number| format!("x:{:08}", number * 16),
    ];
    for form in forms {
        let mut shards = [0; SHARDS];
        (0..1600).for_each(|number| shards[shard_of(&form(number))] += 1);
        assert!(shards.iter().all(|&count| (50..=200).contains(&count)), "{}: {shards:?}", form(0));
    }
}

#[test]
fn the_number_of_waiters_for_one_lock_is_bounded() {
    let scene = scene(Rules { waiters_per_key: 3, ..Rules::default() });
    // The head waits too, for the store.
    let mut head = scene.head();
    let waiters = [(); 2].map(|()| scene.queue(BootTime::NEVER));
    assert!(scene.is_full());
    drop(waiters);
    let waiters = [(); 2].map(|()| scene.queue(BootTime::NEVER));
    let pending = scene.pending(1);
    head.set_pending(Arc::clone(&pending));
    assert!(scene.is_full());
    head.set_lease(lease_of(&pending));
    let third = scene.queue(BootTime::NEVER);
    assert!(scene.is_full());
    drop((waiters, third, head));
    assert!(scene.is_empty());
}

#[test]
fn the_number_of_waiters_in_all_is_bounded() {
    let scene = scene(Rules { waiters: 2, ..Rules::default() });
    let other = Scene { name: "other".into(), queues: Arc::clone(&scene.queues), ..self::scene(Rules::default()) };
    let heads = [scene.head(), other.head()];
    let first = scene.queue(BootTime::NEVER);
    let second = other.queue(BootTime::NEVER);
    assert!(scene.is_full() && other.is_full());
    drop(first);
    let third = other.queue(BootTime::NEVER);
    assert!(scene.is_full() && other.is_full());
    drop((heads, second, third));
    assert!(scene.is_empty());
}
