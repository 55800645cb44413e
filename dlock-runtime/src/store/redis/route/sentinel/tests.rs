use super::*;

fn sentinels() -> Sentinels {
    let urls = ["redis://s1", "redis://s2"].map(str::to_owned).to_vec();
    let options = SentinelOptions { master: "redis://mymaster/2".to_owned(), sentinels: urls };
    Sentinels::new(&options, |info| Access::new(info, false, None, None)).expect("URLs").0
}

fn named(port: u16, epoch: u64) -> (Arc<str>, Answer) {
    ("s".into(), Answer::Named(Named { host: "redis".to_owned(), port, epoch: Some(epoch) }))
}

fn silent() -> (Arc<str>, Answer) {
    ("s".into(), Answer::Silent(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

fn found(sentinels: &Sentinels, answers: Vec<(Arc<str>, Answer)>) -> Arc<Place> {
    sentinels.note(answers).expect("the master").0
}

#[test]
fn what_was_known_stands_for_a_sentinel_that_is_silent_until_it_turns_out_to_be_of_no_use() {
    let sentinels = sentinels();
    let newest = found(&sentinels, vec![named(1, 4), named(2, 5)]);
    assert_eq!(&*newest.name, "redis:2, database 2 (master `mymaster`)");
    assert_eq!(found(&sentinels, vec![named(1, 4), silent()]), newest, "who knew it is silent");
    assert!(sentinels.note(vec![silent(), silent()]).is_err(), "somebody has to say something");
    sentinels.is_useless(&newest);
    let other = found(&sentinels, vec![named(1, 4), silent()]);
    assert_eq!(&*other.name, "redis:1, database 2 (master `mymaster`)");
    // Sentinels that were set up anew count from zero.
    found(&sentinels, vec![named(2, 5), named(2, 5)]);
    assert_eq!(found(&sentinels, vec![named(1, 0), named(1, 0)]), other, "all of them say so");
}

#[tokio::test]
async fn who_connects_to_a_new_place_goes_on_and_who_is_at_an_old_one_learns_of_the_move() {
    let sentinels = sentinels();
    let [first, second] = [1, 2].map(|port| found(&sentinels, vec![named(port, port.into()), silent()]));
    sentinels.arrive(&first);
    let (mut at_first, mut to_second) = (Box::pin(sentinels.left(&first)), Box::pin(sentinels.left(&second)));
    let pause = Duration::from_millis(20);
    assert!(tokio::time::timeout(pause, at_first.as_mut()).await.is_err());
    assert!(tokio::time::timeout(pause, to_second.as_mut()).await.is_err(), "it is not there yet");
    sentinels.arrive(&second);
    assert!(at_first.await.cause.is::<Moved>());
    assert!(tokio::time::timeout(pause, to_second).await.is_err());
    assert!(sentinels.is_elsewhere(&first) && !sentinels.is_elsewhere(&second));
}
