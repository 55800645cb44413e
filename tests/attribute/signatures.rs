//! What can stand in a signature: generics, lifetimes, `impl` and `dyn`, patterns, visibilities and modifiers.

use crate::{Held, during, locked, locks};
use dlock_runtime::{LockError, Runtime, distributed_lock};
use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::rc::Rc;

#[distributed_lock(key = "const:<id>", runtime = locks)]
async fn const_generic<const N: usize, const UP: bool>(locks: &Runtime, id: u8, list: [u8; N]) -> Held<[u8; N]>
where
    [u8; N]: Debug,
    for<'a> &'a [u8; N]: IntoIterator<Item = &'a u8>,
{
    let held = locked(locks, "const:1").await;
    Ok((held, list.map(|value| if UP { value + id } else { value })))
}

#[distributed_lock(key = "where:<id>", runtime = locks)]
async fn where_clause<T, I>(locks: &Runtime, id: u8, list: I) -> Held<Vec<T::Err>>
where
    T: std::str::FromStr<Err: Debug>,
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let errors = list.into_iter().filter_map(|text| text.as_ref().parse::<T>().err()).collect();
    Ok((locked(locks, &format!("where:{id}")).await, errors))
}

#[distributed_lock(key = "explicit:<name>", runtime = locks)]
async fn explicit_lifetimes<'locks, 'a, 'b: 'a>(locks: &'locks Runtime, name: &'a str, other: &'b str) -> Held<&'a str>
where
    'locks: 'a,
{
    let held = locked(locks, "explicit:x").await;
    Ok((held, if name.len() > other.len() { name } else { other }))
}

struct Names<'a>(Vec<&'a str>);

impl<'a> Names<'a> {
    #[distributed_lock(key = "elided:<name>", runtime = locks)]
    async fn elided_lifetimes(&mut self, locks: &Runtime, name: &'a str) -> Held<&mut Names<'a>> {
        self.0.push(name);
        Ok((locked(locks, "elided:x").await, self))
    }
}

#[distributed_lock(key = "anonymous", runtime = locks)]
async fn anonymous_lifetime(locks: &Runtime, names: Names<'_>) -> Held<usize> {
    Ok((locked(locks, "anonymous").await, names.0.len()))
}

#[tokio::test]
async fn generics_bounds_and_lifetimes_are_kept() {
    let locks = locks("bounds").await;
    assert_eq!(during(&locks, "const:1", const_generic::<2, true>(&locks, 1, [1, 2])).await, [2, 3]);
    let errors = during(&locks, "where:1", where_clause::<u8, _>(&locks, 1, ["1", "x", "2"])).await;
    assert_eq!(errors.len(), 1);
    let other = String::from("longer");
    assert_eq!(during(&locks, "explicit:x", explicit_lifetimes(&locks, "x", &other)).await, "longer");
    let mut names = Names(Vec::new());
    let names = during(&locks, "elided:x", names.elided_lifetimes(&locks, "x")).await;
    assert_eq!(names.0, ["x"]);
    assert_eq!(during(&locks, "anonymous", anonymous_lifetime(&locks, Names(vec!["x"]))).await, 1);
}

#[distributed_lock(key = "impl:<id>", runtime = locks)]
async fn impl_arguments(
    locks: &Runtime,
    id: impl Display + Copy,
    list: impl IntoIterator<Item = impl Display>,
    change: impl AsyncFn(String) -> String,
) -> Held<String> {
    let mut text = id.to_string();
    for value in list {
        text = change(text + &value.to_string()).await;
    }
    Ok((locked(locks, "impl:1").await, text))
}

#[distributed_lock(key = "impl", runtime = locks)]
async fn impl_returned(locks: &Runtime) -> Held<impl Iterator<Item = impl Display + use<>> + use<>> {
    Ok((locked(locks, "impl").await, (0..3).map(|value| value * 2)))
}

#[distributed_lock(key = "dyn:<id>", runtime = locks)]
async fn dyn_arguments(
    locks: &Runtime,
    id: &dyn Display,
    mut change: Box<dyn FnMut(u8) -> u8 + '_>,
    any: &mut (dyn Debug + Send),
) -> Held<(u8, String)> {
    Ok((locked(locks, "dyn:1").await, (change(1), format!("{any:?}"))))
}

#[distributed_lock(key = "dyn", runtime = locks)]
async fn dyn_returned(locks: &Runtime) -> Held<Box<dyn Fn(u8) -> u8>> {
    if locked(locks, "nobody").await {
        return Ok((false, Box::new(|value| value)));
    }
    Ok((locked(locks, "dyn").await, Box::new(|value| value + 1)))
}

#[distributed_lock(key = "call:<id>", runtime = locks)]
async fn function_arguments<F: AsyncFnOnce() -> T, T>(
    locks: &Runtime,
    id: u8,
    work: F,
    plain: fn(u8) -> u8,
) -> Held<(T, u8)> {
    Ok((locked(locks, "call:1").await, (work().await, plain(id))))
}

#[tokio::test]
async fn impl_and_dyn_in_arguments_and_return_types_work() {
    let locks = locks("impl-dyn").await;
    let call = impl_arguments(&locks, 1, [2, 3], async |text| text + ",");
    assert_eq!(during(&locks, "impl:1", call).await, "12,3,");
    let doubled = during(&locks, "impl", impl_returned(&locks)).await;
    assert_eq!(doubled.map(|value| value.to_string()).collect::<String>(), "024");
    let (mut calls, mut any) = (0, Some(1));
    let change = Box::new(|value| {
        calls += 1;
        value + 1
    });
    assert_eq!(during(&locks, "dyn:1", dyn_arguments(&locks, &1, change, &mut any)).await, (2, "Some(1)".into()));
    assert_eq!(calls, 1);
    assert_eq!(during(&locks, "dyn", dyn_returned(&locks)).await(1), 2);
    let call = function_arguments(&locks, 1, async || "worked", |id| id + 1);
    assert_eq!(during(&locks, "call:1", call).await, ("worked", 2));
}

struct Path<T>(T);

struct Order {
    id: u8,
    lines: (Vec<String>, Option<u8>),
    note: String,
}

#[distributed_lock(key = "<id>:<first>:<left>", runtime = locks)]
#[expect(clippy::too_many_arguments, reason = "one parameter a pattern")]
async fn patterns(
    locks: &Runtime,
    Path(Order { id, lines: (ref lines, mut count), .. }): Path<Order>,
    _: String,
    [first, .., ref mut last]: [u8; 3],
    (left, (mut right, _)): (String, (String, u8)),
    &(copied, _): &(u8, u8),
    whole @ (_, _): (u8, u8),
    (Ok(either) | Err(either)): Result<u8, u8>,
    _unused: Rc<u8>,
) -> Held<String> {
    *last += 1;
    count = count.map(|count| count + 1);
    right.push('!');
    let held = locked(locks, "1:2:x").await;
    let text = format!("{} {count:?} {last} {left}{right} {copied} {whole:?} {either}", lines.len());
    let _ = (id, first);
    Ok((held, text))
}

#[distributed_lock(key = "ref:<note>", runtime = locks)]
#[expect(clippy::toplevel_ref_arg, reason = "it has to work all the same")]
async fn ref_patterns(locks: &Runtime, ref order: Order, Order { ref note, id: _, lines: _ }: Order) -> Held<String> {
    Ok((locked(locks, "ref:n").await, format!("{}{}{note}", order.id, order.note)))
}

#[tokio::test]
async fn patterns_as_parameters_work() {
    let locks = locks("patterns").await;
    let order = || Order { id: 1, lines: (vec![String::new()], Some(1)), note: "n".into() };
    let call = patterns(
        &locks,
        Path(order()),
        String::new(),
        [2, 3, 4],
        ("x".into(), ("y".into(), 0)),
        &(5, 6),
        (7, 8),
        Err(9),
        Rc::new(1),
    );
    assert_eq!(during(&locks, "1:2:x", call).await, "1 Some(2) 5 xy! 5 (7, 8) 9");
    assert_eq!(during(&locks, "ref:n", ref_patterns(&locks, order(), order())).await, "1nn");
}

mod inner {
    use super::{Held, Runtime, distributed_lock, locked};

    #[distributed_lock(key = "visible", runtime = locks)]
    pub(crate) async fn to_the_crate(locks: &Runtime) -> Held<()> {
        Ok((locked(locks, "visible").await, ()))
    }

    #[distributed_lock(key = "visible", runtime = locks)]
    pub(super) async fn to_the_parent(locks: &Runtime) -> Held<()> {
        Ok((locked(locks, "visible").await, ()))
    }

    #[distributed_lock(key = "visible", runtime = locks)]
    pub(in crate::signatures) async fn to_a_path(locks: &Runtime) -> Held<()> {
        Ok((locked(locks, "visible").await, ()))
    }
}

/// # Safety
/// None is needed; it only has to be said.
#[distributed_lock(key = "unsafe:<id>", runtime = locks)]
async unsafe fn needs_unsafe(locks: &Runtime, id: u8) -> Held<u8> {
    Ok((locked(locks, "unsafe:1").await, id))
}

#[tokio::test]
async fn visibilities_and_modifiers_are_kept() {
    let locks = locks("modifiers").await;
    during(&locks, "visible", inner::to_the_crate(&locks)).await;
    during(&locks, "visible", inner::to_the_parent(&locks)).await;
    during(&locks, "visible", inner::to_a_path(&locks)).await;
    // SAFETY: It needs nothing.
    assert_eq!(during(&locks, "unsafe:1", unsafe { needs_unsafe(&locks, 1) }).await, 1);
}

#[distributed_lock(key = "items:<id>", runtime = locks)]
async fn holds_items(locks: &Runtime, id: u8) -> Held<u16> {
    use std::ops::Add;
    #[derive(Clone, Copy)]
    struct Twice(u8);
    impl Add for Twice {
        type Output = u16;
        fn add(self, other: Self) -> u16 {
            2 * (u16::from(self.0) + u16::from(other.0))
        }
    }
    #[distributed_lock(key = "nested:<id>", runtime = locks)]
    async fn nested(locks: &Runtime, id: u8) -> Held<u8> {
        Ok((locked(locks, "items:1").await && locked(locks, "nested:2").await, id))
    }
    const ONE: u8 = 1;
    let (held, two) = nested(locks, id + ONE).await?;
    Ok((held && locked(locks, "items:1").await, Twice(id) + Twice(two)))
}

#[tokio::test]
async fn a_body_holds_items_and_annotated_functions() {
    let locks = locks("items-in-a-body").await;
    assert_eq!(during(&locks, "items:1", holds_items(&locks, 1)).await, 6);
}

trait Warehouse {
    type Id: Display;
    type Error: From<LockError> + Debug;
    const NAME: &'static str;

    fn locks(&self) -> &Runtime;

    #[distributed_lock(key = format!("{}:{id}", Self::NAME), runtime = self.locks())]
    async fn take<T: Display>(&self, id: Self::Id, what: T) -> Result<(bool, String), Self::Error>
    where
        Self: Sized,
    {
        Ok((locked(self.locks(), "tea:1").await, format!("{id}{what}")))
    }
}

struct Shelf<'a, T> {
    locks: &'a Runtime,
    goods: HashMap<u8, T>,
}

impl<T: Clone> Warehouse for Shelf<'_, T> {
    type Id = u8;
    type Error = LockError;
    const NAME: &'static str = "tea";

    fn locks(&self) -> &Runtime {
        self.locks
    }
}

impl<'a, T: Clone> Shelf<'a, T> {
    #[distributed_lock(key = "shelf:<id>", runtime = self.locks)]
    async fn copy<const N: usize>(&'a self, id: u8) -> Held<[Option<T>; N]> {
        Ok((locked(self.locks, "shelf:1").await, std::array::from_fn(|_| self.goods.get(&id).cloned())))
    }

    #[distributed_lock(key = "shelf:<id>", runtime = &locks, or_else = |_| unreachable!("it is free"))]
    async fn build(locks: Runtime, id: u8, value: T) -> (bool, HashMap<u8, T>) {
        (locked(&locks, "shelf:1").await, HashMap::from([(id, value)]))
    }
}

#[tokio::test]
async fn methods_of_generic_types_and_associated_items_work() {
    let locks = locks("associated").await;
    let (held, goods) = Shelf::build(locks.clone(), 1, "x").await;
    assert!(held);
    let shelf = Shelf { locks: &locks, goods };
    assert_eq!(during(&locks, "tea:1", shelf.take(1, "x")).await, "1x");
    assert_eq!(during(&locks, "shelf:1", shelf.copy::<2>(1)).await, [Some("x"), Some("x")]);
}
