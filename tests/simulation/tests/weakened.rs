//! The judge must be able to say no: each way to do it wrong is caught within a few worlds, by the rule that is there for it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use dlock_simulation::{Options, Weakness, run};

/// Looks at world after world until the judge, who looks at nothing else, sees the rule broken.
fn is_caught(weakness: Weakness) -> Result<(), String> {
    let (rule, kind, seeds) = weakness.seen_by();
    let mut weakened = 0;
    let found = seeds.clone().find_map(|seed| {
        let options = Options { seed, acquisitions: 1_000, kind: Some(kind), only: Some(rule), ..Options::default() };
        let report = run(&Options { weakness: Some(weakness), ..options });
        weakened += report.weakened;
        report.violation.map(|violation| (seed, violation))
    });
    if weakened == 0 && weakness.is_of_a_script() {
        return Err(format!("{weakness:?}: no script says any more what it leaves out"));
    }
    let (seed, violation) = found.ok_or_else(|| format!("{weakness:?} went unnoticed in the worlds {seeds:?}"))?;
    println!("{weakness:?}: seed {seed}: {violation:?}");
    Ok(())
}

#[test]
fn each_weakness_is_caught_by_its_rule() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let next = || Weakness::ALL.get(NEXT.fetch_add(1, Ordering::Relaxed)).copied();
    let threads = [(); 2].map(|()| {
        thread::spawn(move || std::iter::from_fn(next).filter_map(|weakness| is_caught(weakness).err()).collect())
    });
    let missed: Vec<Vec<String>> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    assert!(missed.concat().is_empty(), "{missed:?}");
}
