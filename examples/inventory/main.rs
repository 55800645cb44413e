//! The main job: replicas of an inventory service sell one stock through an annotated function, and the books are audited.
//!
//! `cargo run --release --example inventory -- --help` tells what it can do. `deduct.rs` is the file to read.

mod args;
mod books;
mod deduct;
mod fleet;
mod mode;
mod orders;
mod plan;
mod progress;
mod replica;
mod run;
mod shop;
mod table;
mod temp;

use args::{Command, Options, Source};
use books::Books;
use fleet::{Event, Fleet, REPLICAS};
use mode::Mode;
use replica::{Failure, with_causes};
use run::{Run, Strike};
use shop::Shop;
use std::process::ExitCode;
use std::sync::mpsc;
use temp::TempDir;

fn main() -> ExitCode {
    let result = match args::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", args::HELP);
            Ok(true)
        }
        Ok(Command::Run(options)) => run(&options),
        Ok(Command::Replica { number, database, without_lock }) => fleet::be_a_replica(number, &database, without_lock)
            .map(|()| true)
            .map_err(|e| format!("replica {number}: {}", with_causes(&*e)).into()),
        Err(message) => {
            eprintln!("{message}; --help tells what there is");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {}", with_causes(&*e));
            ExitCode::FAILURE
        }
    }
}

/// Runs all orders and says whether the books balance.
fn run(options: &Options) -> Result<bool, Failure> {
    let mut mode = Mode::choose(options)?;
    println!("{}", mode.describe());
    let orders = match &options.source {
        Source::File(path) => orders::from_csv(path)?,
        Source::Generated { count, seed } => orders::generated(*count, *seed),
    };
    let stock = plan::stock_for(&orders);
    println!(
        "{} orders, {} items, {} products, {}",
        orders.len(),
        orders.iter().map(Vec::len).sum::<usize>(),
        stock.len(),
        if options.without_lock { "WITHOUT the lock" } else { "each deduction under the product's lock" },
    );
    let dir = TempDir::new()?;
    let database = dir.path().join("shop.db");
    let shop = Shop::create(&database, &stock, &orders, REPLICAS)?;
    let (sender, events) = mpsc::channel();
    watch_for_ctrl_c(sender.clone());
    let mut fleet = match mode.store() {
        Some(store) => Fleet::processes(&store, &database, options, &sender)?,
        None => Fleet::embedded(&database, options, &sender)?,
    };
    let strike = if options.kill { Strike::Replica } else { Strike::Master(&mut mode) };
    let strike = (options.kill || options.failover).then_some(strike);
    let mut run = Run::watch(&mut fleet, &events, &shop, orders.len(), strike)?;
    let books = Books::audit(&shop, &stock)?;
    let sequential = plan::sequential_total(&stock);
    table::print(&books, &mut run, orders.len(), sequential, !options.without_lock);
    Ok(books.complaints(sequential).is_empty() && run.failures.is_empty())
}

/// Ends the run in good order, so that nothing stays behind in the temporary directory.
fn watch_for_ctrl_c(events: mpsc::Sender<Event>) {
    std::thread::spawn(move || {
        let executor = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        executor.block_on(tokio::signal::ctrl_c())?;
        // If nobody listens any more, the run is over anyway.
        let _ = events.send(Event::Interrupted);
        std::io::Result::Ok(())
    });
}
