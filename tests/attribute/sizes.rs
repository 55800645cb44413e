//! How large the future of an annotated function is: what callers box, spawn and move is no larger than what they would
//! have written by hand, and the body is in it once.

use dlock_runtime::{LockError, Runtime, distributed_lock};
use std::hint::black_box;
use std::time::Duration;

/// What the attribute may cost.
const MARGIN: usize = 256;

const TTL: Duration = Duration::from_secs(5);

/// A body that holds `N` bytes across an await.
async fn work<const N: usize>(id: u64) -> u64 {
    let held = black_box([1_u8; N]);
    std::future::ready(()).await;
    held.iter().map(|byte| u64::from(*byte)).sum::<u64>() + id
}

#[distributed_lock(key = "size:<id>", ttl = 5, runtime = locks)]
async fn annotated<const N: usize>(locks: &Runtime, id: u64) -> Result<u64, LockError> {
    Ok(work::<N>(id).await)
}

async fn by_hand<const N: usize>(locks: &Runtime, id: u64) -> Result<u64, LockError> {
    let guard = locks.lock(format!("size:{id}")).ttl(TTL).acquire().await?;
    let output = guard.run(async move { Ok(work::<N>(id).await) }).await?;
    guard.release().await?;
    output
}

type Kilobyte = [u64; 128];

#[distributed_lock(key = "size:<id>", ttl = 5, runtime = locks)]
async fn annotated_with_parameters(
    locks: &Runtime,
    id: u64,
    first: Kilobyte,
    second: Kilobyte,
    third: String,
) -> Result<u64, LockError> {
    let counted = work::<8>(id).await;
    Ok(counted + first[1] + second[1] + third.len() as u64)
}

async fn by_hand_with_parameters(
    locks: &Runtime,
    id: u64,
    first: Kilobyte,
    second: Kilobyte,
    third: String,
) -> Result<u64, LockError> {
    let guard = locks.lock(format!("size:{id}")).ttl(TTL).acquire().await?;
    let body = async move {
        let counted = work::<8>(id).await;
        Ok(counted + first[1] + second[1] + third.len() as u64)
    };
    let output = guard.run(body).await?;
    guard.release().await?;
    output
}

#[distributed_lock(key = "size", ttl = 5, runtime = locks)]
async fn annotated_with_output(locks: &Runtime) -> Result<Kilobyte, LockError> {
    let one = work::<8>(1).await;
    Ok([one; 128])
}

async fn by_hand_with_output(locks: &Runtime) -> Result<Kilobyte, LockError> {
    let guard = locks.lock("size").ttl(TTL).acquire().await?;
    let body = async move {
        let one = work::<8>(1).await;
        Ok([one; 128])
    };
    let output = guard.run(body).await?;
    guard.release().await?;
    output
}

/// The sizes of both, for a body that holds `N` bytes.
fn sizes<const N: usize>(locks: &Runtime) -> (usize, usize) {
    (size_of_val(&annotated::<N>(locks, 1)), size_of_val(&by_hand::<N>(locks, 1)))
}

#[tokio::test]
async fn the_future_is_no_larger_than_by_hand() {
    let locks = crate::locks("sizes").await;
    let parameters = || ([1; 128], [1; 128], String::new());
    let (first, second, third) = parameters();
    let annotated = size_of_val(&annotated_with_parameters(&locks, 1, first, second, third));
    let (first, second, third) = parameters();
    let by_hand = size_of_val(&by_hand_with_parameters(&locks, 1, first, second, third));
    let outputs = (size_of_val(&annotated_with_output(&locks)), size_of_val(&by_hand_with_output(&locks)));
    for (what, (annotated, by_hand)) in [
        ("empty", sizes::<0>(&locks)),
        ("64 B", sizes::<64>(&locks)),
        ("1 KiB", sizes::<1024>(&locks)),
        ("16 KiB", sizes::<16384>(&locks)),
        ("parameters of 2 KiB", (annotated, by_hand)),
        ("output of 1 KiB", outputs),
    ] {
        assert!(annotated <= by_hand + MARGIN, "{what}: {annotated} bytes, {by_hand} by hand");
    }
}

#[tokio::test]
async fn the_body_is_stored_once() {
    let locks = crate::locks("sizes").await;
    let (small, by_hand_small) = sizes::<1024>(&locks);
    let (large, by_hand_large) = sizes::<16384>(&locks);
    let grown = size_of_val(&work::<16384>(1)) - size_of_val(&work::<1024>(1));
    assert!(grown >= 16384 - 1024, "the body does hold it: {grown}");
    assert!(large - small <= grown + MARGIN, "{small} to {large} for {grown} of the body");
    assert!(by_hand_large - by_hand_small <= grown + MARGIN, "{by_hand_small} to {by_hand_large} for {grown}");
}
