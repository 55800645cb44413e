//! What `or_else` owns is held while the body runs.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>", or_else = move |_| *shared)]
async fn deduct(id: u64, shared: std::rc::Rc<u64>) -> u64 {
    id
}

fn main() {
    fn send(_: impl Send) {}
    send(deduct(1, std::rc::Rc::new(1)));
}
