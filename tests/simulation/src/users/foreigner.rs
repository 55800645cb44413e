//! A client of another kind.

use std::time::Duration;

use dlock_runtime::simulated::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{is_over, millis, rest};
use crate::{
    plan::MILLISECOND,
    resp,
    sim::{Sim, sim},
};

/// A client of another kind: `SET NX PX`, and compare-and-delete. It knows nothing of queues, and tries again and again.
pub(super) async fn foreigner(life: u32) {
    let mut turn = 0_u64;
    while !is_over(life) {
        let Ok(mut stream) = dlock_runtime::simulated::connect("simulated").await else {
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
