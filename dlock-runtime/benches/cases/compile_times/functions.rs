//! The functions: eight shapes of them, each by attribute, by hand, and without a lock.
//!
//! By hand means as a careful user would write it: every error goes to the caller, the body's own first.

use std::fmt::Write;

/// How the functions take their locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Attribute,
    Hand,
    None,
}

impl Side {
    pub(crate) const ALL: [Self; 3] = [Self::Attribute, Self::Hand, Self::None];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Attribute => "by-attribute",
            Self::Hand => "by-hand",
            Self::None => "no-lock",
        }
    }
}

/// What all of them use.
const HEAD: &str = r#"//! Generated.
#![allow(dead_code, unused_variables, unused_imports)]

use std::{fmt, future::Future, pin::Pin, time::Duration};

use dlock_runtime::{LockError, LockKey, Runtime, distributed_lock};

#[derive(Debug)]
pub enum StockError {
    TooFew { left: u32 },
    Lock(LockError),
}

impl From<LockError> for StockError {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}

pub enum Reply {
    Done(u32),
    Busy(String),
}

#[derive(Clone)]
pub struct Order {
    pub shop: String,
    pub sku: String,
    pub qty: u32,
}

pub struct Shop {
    pub tenant: String,
}

async fn read(id: u64) -> Result<u32, StockError> {
    std::future::ready(Ok(id as u32)).await
}

async fn write(id: u64, left: u32) -> Result<u32, StockError> {
    std::future::ready(Ok(left)).await
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
"#;

/// A shape: `N` stands for the function's number.
struct Shape {
    /// The options of the attribute.
    options: &'static str,
    /// Around the function, if it is a method.
    within: (&'static str, &'static str),
    signature: &'static str,
    body: &'static str,
    /// By hand: before the body in braces, and after it.
    hand: (&'static str, &'static str),
    /// A call whose future is boxed, so that the compiler must generate all of it, and ask whether it is `Send`.
    user: &'static str,
}

const BODY: &str = "
    let left = read(id).await?;
    if left < qty {
        return Err(StockError::TooFew { left });
    }
    write(id, left - qty).await
";

const RELEASED: &str = ").await?;
    let released = guard.release().await;
    let output = output?;
    released?;
    Ok(output)
";

const SHAPES: [Shape; 8] = [
    Shape {
        options: r#"key = "plain_N:<id>", ttl = 10"#,
        within: ("", ""),
        signature: "pub async fn plain_N(id: u64, qty: u32) -> Result<u32, StockError>",
        body: BODY,
        hand: (
            r#"
    let key = LockKey::from_template("plain_N:<id>", &[&id]);
    let guard = Runtime::installed()?.lock(key).ttl(Duration::from_secs(10)).acquire().await?;
    let output = guard.run(async move "#,
            RELEASED,
        ),
        user: "pub fn use_plain_N(id: u64) -> Boxed<'static, Result<u32, StockError>> { Box::pin(plain_N(id, 1)) }",
    },
    Shape {
        options: r#"key = "method_N:<self.tenant>:<id>""#,
        within: ("impl Shop {", "}"),
        signature: "pub async fn method_N(&self, id: u64, qty: u32) -> Result<u32, StockError>",
        body: BODY,
        hand: (
            r#"
    let key = LockKey::from_template("method_N:<self.tenant>:<id>", &[&self.tenant, &id]);
    let guard = Runtime::installed()?.lock(key).acquire().await?;
    let output = guard.run(async move "#,
            RELEASED,
        ),
        user: "pub fn use_method_N(shop: &Shop) -> Boxed<'_, Result<u32, StockError>> { Box::pin(shop.method_N(1, 1)) }",
    },
    Shape {
        options: r#"key = "guard_N:<id>", wait = 5, guard = guard"#,
        within: ("", ""),
        signature: "pub async fn guard_N(id: u64, qty: u32) -> Result<u32, StockError>",
        body: "
    let left = read(id).await?;
    #LOCKED#
    write(id, left - qty).await
",
        hand: (
            r#"
    let key = LockKey::from_template("guard_N:<id>", &[&id]);
    let guard = Runtime::installed()?.lock(key).wait(Duration::from_secs(5)).acquire().await?;
    let locked = &guard;
    let output = guard.run(async move "#,
            RELEASED,
        ),
        user: "pub fn use_guard_N(id: u64) -> Boxed<'static, Result<u32, StockError>> { Box::pin(guard_N(id, 1)) }",
    },
    Shape {
        options: r#"key = "when_N:<id>", when = qty > 1"#,
        within: ("", ""),
        signature: "pub async fn when_N(id: u64, qty: u32) -> Result<u32, StockError>",
        body: BODY,
        hand: (
            r#"
    let guard = if qty > 1 {
        let key = LockKey::from_template("when_N:<id>", &[&id]);
        Some(Runtime::installed()?.lock(key).acquire().await?)
    } else {
        None
    };
    let body = async move "#,
            ";
    let Some(guard) = guard else { return body.await };
    let output = guard.run(body).await?;
    let released = guard.release().await;
    let output = output?;
    released?;
    Ok(output)
",
        ),
        user: "pub fn use_when_N(id: u64) -> Boxed<'static, Result<u32, StockError>> { Box::pin(when_N(id, 1)) }",
    },
    Shape {
        options: r#"key = "or_else_N:<id>", wait = 0, or_else = |error| Reply::Busy(error.to_string())"#,
        within: ("", ""),
        signature: "pub async fn or_else_N(id: u64, qty: u32) -> Reply",
        body: "
    match read(id).await {
        Ok(left) if left >= qty => Reply::Done(left - qty),
        _ => Reply::Done(0),
    }
",
        hand: (
            r#"
    let or_else = |error: LockError| Reply::Busy(error.to_string());
    let key = LockKey::from_template("or_else_N:<id>", &[&id]);
    let runtime = match Runtime::installed() {
        Ok(runtime) => runtime,
        Err(error) => return or_else(error),
    };
    let guard = match runtime.lock(key).wait(Duration::ZERO).acquire().await {
        Ok(guard) => guard,
        Err(error) => return or_else(error),
    };
    let output = match guard.run(async move "#,
            ").await {
        Ok(output) => output,
        Err(error) => return or_else(error),
    };
    match guard.release().await {
        Ok(()) => output,
        Err(error) => or_else(error),
    }
",
        ),
        user: "pub fn use_or_else_N(id: u64) -> Boxed<'static, Reply> { Box::pin(or_else_N(id, 1)) }",
    },
    Shape {
        options: r#"key = "{several_N:<order.shop>}:<order.sku>:<id>""#,
        within: ("", ""),
        signature: "pub async fn several_N(order: &Order, id: u64) -> Result<u32, StockError>",
        body: "
    let left = read(id).await?;
    write(id, left - order.qty).await
",
        hand: (
            r#"
    let key = LockKey::from_template("{several_N:<order.shop>}:<order.sku>:<id>", &[&order.shop, &order.sku, &id]);
    let guard = Runtime::installed()?.lock(key).acquire().await?;
    let output = guard.run(async move "#,
            RELEASED,
        ),
        user: "pub fn use_several_N(order: &Order) -> Boxed<'_, Result<u32, StockError>> { Box::pin(several_N(order, 1)) }",
    },
    Shape {
        options: r#"key = "owned_N:<order.sku>", ttl = "1500ms", max_hold = 60"#,
        within: ("", ""),
        signature: "pub async fn owned_N(order: Order, id: u64) -> Result<Order, StockError>",
        body: "
    let left = read(id).await?;
    write(id, left - order.qty).await?;
    Ok(order)
",
        hand: (
            r#"
    let key = LockKey::from_template("owned_N:<order.sku>", &[&order.sku]);
    let request = Runtime::installed()?.lock(key).ttl(Duration::from_millis(1500)).max_hold(Duration::from_secs(60));
    let guard = request.acquire().await?;
    let output: Result<_, StockError> = guard.run(async move "#,
            RELEASED,
        ),
        user: "pub fn use_owned_N(order: Order) -> Boxed<'static, Result<Order, StockError>> { Box::pin(owned_N(order, 1)) }",
    },
    Shape {
        options: r#"key = "generic_N:<name>""#,
        within: ("", ""),
        signature: "pub async fn generic_N<T: fmt::Display + Send + Sync>(name: T, id: u64) -> Result<String, StockError>",
        body: "
    let left = read(id).await?;
    Ok(format!(\"{name}: {left}\"))
",
        hand: (
            r#"
    let key = LockKey::from_template("generic_N:<name>", &[&name]);
    let guard = Runtime::installed()?.lock(key).acquire().await?;
    let output: Result<_, StockError> = guard.run(async move "#,
            RELEASED,
        ),
        user: "pub fn use_generic_N(id: u64) -> Boxed<'static, Result<String, StockError>> { Box::pin(generic_N(7_u8, id)) }",
    },
];

/// The text of the crate.
pub(crate) fn source(side: Side, functions: usize) -> String {
    let mut text = HEAD.to_owned();
    for (number, shape) in (0..functions).zip(SHAPES.iter().cycle()) {
        let Shape { options, within, signature, body, hand, user } = shape;
        // The name of the guard is that of the side.
        let locked = match side {
            Side::Attribute => "guard.ensure_held()?;",
            Side::Hand => "locked.ensure_held()?;",
            Side::None => "",
        };
        let body = body.replace("#LOCKED#", locked);
        let function = match side {
            Side::Attribute => format!("#[distributed_lock({options})]\n{signature} {{{body}}}"),
            Side::Hand => format!("{signature} {{{}{{{body}}}{}}}", hand.0, hand.1),
            Side::None => format!("{signature} {{{body}}}"),
        };
        let _ = writeln!(
            text,
            "\n{}",
            format!("{}\n{function}\n{}\n{user}", within.0, within.1).replace("_N", &format!("_{number}"))
        );
    }
    text
}
