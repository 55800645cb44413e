//! A job that every replica starts on the hour and only one is to do: `wait = 0` tries once, `or_else` says what to do
//! when another replica was first. The function needs no `Result`.

use dlock_runtime::{LockError, Runtime, distributed_lock};
use std::time::Duration;

#[derive(Debug)]
enum Job {
    Done { mails: u32 },
    Skipped,
    Failed,
}

#[distributed_lock(key = "cron:newsletter", ttl = 30, wait = 0, or_else = skip)]
async fn send_newsletter(replica: u32) -> Job {
    println!("replica {replica} sends the newsletter");
    tokio::time::sleep(Duration::from_millis(200)).await;
    Job::Done { mails: 1000 }
}

/// Busy means that somebody else does it. Anything else is worth a look.
fn skip(e: LockError) -> Job {
    if e.is_busy() {
        return Job::Skipped;
    }
    eprintln!("newsletter: {e}");
    Job::Failed
}

#[tokio::main]
async fn main() -> Result<(), LockError> {
    let builder = match std::env::var("REDIS_URL") {
        Ok(url) => Runtime::builder().redis(url),
        Err(_) => Runtime::builder().embedded(),
    };
    let runtime = builder.namespace("cron").install().await?;

    let replicas = (1..=3).map(|n| (n, tokio::spawn(send_newsletter(n)))).collect::<Vec<_>>();
    for (number, replica) in replicas {
        match replica.await.expect("no replica panics") {
            Job::Done { mails } => println!("replica {number}: sent {mails} mails"),
            Job::Skipped => println!("replica {number}: another one is at it, skipped"),
            Job::Failed => println!("replica {number}: failed"),
        }
    }
    runtime.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
