//! A client of another kind: `SET NX PX`, and compare-and-delete. It knows nothing of queues, and tries again and again.

use std::time::Duration;

use dlock_runtime::simulated::{Stream, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{is_over, millis, rest};
use crate::{plan::MILLISECOND, resp, sim::sim};

/// Gives the lock of a token back.
const DELETE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

pub(super) async fn foreigner(life: u32) {
    let mut turn = 0;
    while !is_over(life) {
        let Ok(mut stream) = connect("simulated").await else {
            rest(50).await;
            continue;
        };
        let mut is_open = true;
        while is_open && !is_over(life) {
            turn += 1;
            is_open = foreign_turn(life, turn, &mut stream).await.is_some();
        }
    }
    sim().lives.borrow_mut()[life as usize].is_done = true;
}

/// `None` if the connection is of no use any more.
async fn foreign_turn(life: u32, turn: u64, stream: &mut Box<dyn Stream>) -> Option<()> {
    let (key, ttl, body, pause) = {
        let sim = sim();
        let mut rng = sim.rng.borrow_mut();
        let body = if rng.chance(200) { 400 } else { rng.below(20) };
        (rng.below(sim.plan.keys as u64) as usize, rng.pick(&[200, 400]), body, 1 + rng.below(60))
    };
    let (lock, token) = (format!("sim:k{key}"), format!("foreign-{life}-{turn}"));
    let turn = sim().asks(key, life, Some(Duration::ZERO));
    let reply = ask(stream, &["SET", &lock, &token, "NX", "PX", &ttl.to_string()]).await;
    sim().asks_no_more(turn);
    if reply? == b"+OK\r\n" {
        // Its clock may be 1% slow, and it knows.
        let valid = (ttl * MILLISECOND * 98 / 100).saturating_sub(2 * MILLISECOND);
        let remaining = Duration::from_nanos((turn.since + valid).saturating_sub(sim().now()) * 99 / 100);
        if remaining > millis(5) {
            sim().count(|figures| figures.foreign += 1);
            sim().begins(turn, None, (0, remaining));
            rest(body.min(remaining.as_millis() as u64)).await;
            sim().stops(turn);
        }
        ask(stream, &["EVAL", DELETE, "1", &lock, &token]).await?;
    }
    rest(pause).await;
    Some(())
}

/// Sends a request and reads one short reply.
async fn ask(stream: &mut Box<dyn Stream>, words: &[&str]) -> Option<Vec<u8>> {
    let asked = async {
        let words = words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>();
        stream.write_all(&resp::request(&words)).await.ok()?;
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n") {
            reply.push(stream.read_u8().await.ok()?);
        }
        Some(reply)
    };
    tokio::time::timeout(millis(150), asked).await.ok().flatten()
}
